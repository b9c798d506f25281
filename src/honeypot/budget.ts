// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type IpAddress, networkOf } from '../net/ip.ts'

/*
 * A UDP source can be forged, so every reply may hit a bystander. What one source network (/32, or /64 for IPv6) gets
 * is bounded: over any 10 s at most the bytes it sent plus 600, and at most 50 replies a second with bursts of 100.
 *
 * Each reply answers one request, so only the bytes by which it is longer have to be paid for. They come out of a
 * bucket that holds 400 and fills at 20 a second: 400 + 10 × 20 = 600 in any 10 s, however the windows are laid.
 *
 * The table has a fixed size. A source whose places are all taken by others that were active within the last 10 s gets
 * no reply: forgetting somebody's account instead would let a forger reset it.
 */
const EXCESS_BYTES = 400
const EXCESS_BYTES_PER_S = 20
const REPLIES = 100
const REPLIES_PER_S = 50
const QUIET_MS = 10_000
const SLOTS = 65_536 // a power of two, 2 MB; from about 20,000 active sources on some find no place
const PLACES = 8

// RFC 3261 requests of scanners have about 350 bytes; a reply may have half as much again, or as the request at hand.
const TYPICAL_REQUEST_BYTES = 350
const MOST_TIMES_REQUEST = 1.5

// For all sources together, since a forger has any number of addresses: what a node sends to nobody in particular stays
// within 2 Mbit/s beyond what comes in, and within what a small machine can answer.
const EXCESS_BYTES_OF_ALL = 1024 * 1024
const EXCESS_BYTES_OF_ALL_PER_S = 256 * 1024
const REPLIES_OF_ALL = 100_000
const REPLIES_OF_ALL_PER_S = 100_000

export type Verdict = 'send' | 'too-many-replies' | 'too-many-bytes' | 'table-full' | 'too-much-in-all'

export interface ReplyBudget {
  /**
   * Whether a reply of `replyBytes` to a request of `requestBytes` might go out now. It may not spend the last
   * `keptBytes` of what the source has left.
   */
  verdict(source: IpAddress, requestBytes: number, replyBytes: number, keptBytes?: number): Verdict
  /** The same, and charged when it may. */
  charge(source: IpAddress, requestBytes: number, replyBytes: number): Verdict
}

/** `steadyMs` is a clock that never goes back; `hashKey` any number that nobody knows. */
export function createReplyBudget(steadyMs: () => number, hashKey: number): ReplyBudget {
  const keys: (string | null)[] = new Array(SLOTS).fill(null)
  const excess = new Float64Array(SLOTS)
  const replies = new Float64Array(SLOTS)
  const filledAtMs = new Float64Array(SLOTS)

  /** The slot of this source, its buckets filled up to now; -1 when there is none to have. */
  function slotOf(source: string, nowMs: number): number {
    const first = hash(source, hashKey)
    let free = -1
    for (let place = 0; place < PLACES; place++) {
      const slot = (first + place) & (SLOTS - 1)
      if (keys[slot] === source) return slot
      const idle = keys[slot] === null || nowMs - (filledAtMs[slot] ?? 0) > QUIET_MS
      if (free === -1 && idle) free = slot
    }
    if (free === -1) return -1
    // Its bucket starts full. That keeps the bound: no 10 s window holds both this and what was sent before the pause.
    keys[free] = source
    excess[free] = EXCESS_BYTES
    replies[free] = REPLIES
    filledAtMs[free] = nowMs
    return free
  }

  const all = { excess: EXCESS_BYTES_OF_ALL, replies: REPLIES_OF_ALL, filledAtMs: steadyMs() }

  function fillAll(nowMs: number): void {
    const elapsedS = (nowMs - all.filledAtMs) / 1000
    all.excess = Math.min(EXCESS_BYTES_OF_ALL, all.excess + elapsedS * EXCESS_BYTES_OF_ALL_PER_S)
    all.replies = Math.min(REPLIES_OF_ALL, all.replies + elapsedS * REPLIES_OF_ALL_PER_S)
    all.filledAtMs = nowMs
  }

  function fill(slot: number, nowMs: number): void {
    const elapsedS = (nowMs - (filledAtMs[slot] ?? nowMs)) / 1000
    excess[slot] = Math.min(EXCESS_BYTES, (excess[slot] ?? 0) + elapsedS * EXCESS_BYTES_PER_S)
    replies[slot] = Math.min(REPLIES, (replies[slot] ?? 0) + elapsedS * REPLIES_PER_S)
    filledAtMs[slot] = nowMs
  }

  function decide(
    source: IpAddress,
    requestBytes: number,
    replyBytes: number,
    keptBytes: number,
    spends: boolean,
  ): Verdict {
    if (replyBytes > Math.max(requestBytes, TYPICAL_REQUEST_BYTES) * MOST_TIMES_REQUEST) return 'too-many-bytes'
    const nowMs = steadyMs()
    const slot = slotOf(networkOf(source), nowMs)
    if (slot === -1) return 'table-full'
    fill(slot, nowMs)
    fillAll(nowMs)
    const cost = Math.max(0, replyBytes - requestBytes)
    if ((replies[slot] ?? 0) < 1) return 'too-many-replies'
    if (cost > 0 && cost > (excess[slot] ?? 0) - keptBytes) return 'too-many-bytes'
    if (all.replies < 1 || cost > all.excess) return 'too-much-in-all'
    if (!spends) return 'send'
    excess[slot] = (excess[slot] ?? 0) - cost
    replies[slot] = (replies[slot] ?? 0) - 1
    all.excess -= cost
    all.replies--
    return 'send'
  }

  return {
    verdict: (source, requestBytes, replyBytes, keptBytes = 0) =>
      decide(source, requestBytes, replyBytes, keptBytes, false),
    charge: (source, requestBytes, replyBytes) => decide(source, requestBytes, replyBytes, 0, true),
  }
}

/** FNV-1a from a start of our own: nobody shall choose addresses that take another one's places. */
function hash(text: string, key: number): number {
  let value = key | 0
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  return value >>> 0
}
