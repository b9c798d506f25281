// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type IpAddress, networkOf, parseIp } from '../net/ip.ts'
import { isLoopback } from '../ops/loopback.ts'

export interface RateLimits {
  readonly perSecond: number
  /** So many requests at once, after as many seconds of quiet as it takes. */
  readonly burst: number
  /** Clients that are remembered; of more, who asked longest ago is forgotten, and begins anew. */
  readonly clients: number
}

// Chosen: more than people and monitoring ask, less than what a PBX may ask, which is what --api-unlimited is for. A
// table of 4,096 clients takes 400 KB.
export const RATE_LIMITS: RateLimits = { perSecond: 50, burst: 100, clients: 4_096 }

export interface RateLimit {
  /** Takes one request of a client: 0 when it may be answered, else the seconds after which the next one may. */
  take(remoteAddress: string | undefined): number
  refused(): number
}

/**
 * A bucket of tokens for each client: an IPv4 address, or a /64 of IPv6, since one customer usually has that many
 * addresses. Loopback and whoever `isUnlimited` names have none.
 */
export function createRateLimit(
  isUnlimited: (address: IpAddress) => boolean,
  { perSecond, burst, clients }: RateLimits,
  nowMs: () => number,
): RateLimit {
  const buckets = new Map<string, { tokens: number; filledAtMs: number }>()
  let refused = 0

  function bucketOf(client: string, atMs: number) {
    const known = buckets.get(client)
    if (known === undefined && buckets.size >= clients) {
      for (const longestAgo of buckets.keys()) {
        buckets.delete(longestAgo)
        break
      }
    }
    buckets.delete(client)
    const bucket = known ?? { tokens: burst, filledAtMs: atMs }
    buckets.set(client, bucket) // last in the map: asked most recently
    return bucket
  }

  return {
    take(remoteAddress) {
      if (remoteAddress === '127.0.0.1' || remoteAddress === '::1') return 0 // most that ask are these
      const address = parseIp(remoteAddress ?? '')
      if (address === null || isLoopback(address) || isUnlimited(address)) return 0 // null: the connection is gone
      const atMs = nowMs()
      const bucket = bucketOf(networkOf(address), atMs)
      bucket.tokens = Math.min(burst, bucket.tokens + ((atMs - bucket.filledAtMs) / 1_000) * perSecond)
      bucket.filledAtMs = atMs
      if (bucket.tokens >= 1) {
        bucket.tokens--
        return 0
      }
      refused++
      return Math.ceil((1 - bucket.tokens) / perSecond)
    },
    refused: () => refused,
  }
}
