// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { IpAddress } from '../net/ip.ts'

/** What TCP and TLS connections may cost. Deadlines are absolute: a byte a second does not move them. */
export interface ConnectionLimits {
  readonly maxPerSource: number
  readonly maxTotal: number
  /** From the first byte of a message, or the opening of the connection, to the end of that message. */
  readonly messageMs: number
  /** From one message to the next. */
  readonly idleMs: number
  readonly tlsHandshakeMs: number
}

/** Chosen: far above what a real client does, low enough that 1,000 hostile connections are no burden. */
export const CONNECTION_LIMITS: ConnectionLimits = {
  maxPerSource: 100,
  maxTotal: 2_000,
  messageMs: 30_000,
  idleMs: 120_000,
  tlsHandshakeMs: 10_000,
}

export type Admission = 'admitted' | 'too-many-from-source' | 'too-many'

/** Counts connections per source and in all, over every stream listener of the node. */
export interface Doorkeeper {
  admit(source: IpAddress): Admission
  release(source: IpAddress): void
}

export function createDoorkeeper({ maxPerSource, maxTotal }: ConnectionLimits): Doorkeeper {
  const open = new Map<IpAddress, number>()
  let total = 0
  return {
    admit(source) {
      const fromSource = open.get(source) ?? 0
      if (total >= maxTotal) return 'too-many'
      if (fromSource >= maxPerSource) return 'too-many-from-source'
      open.set(source, fromSource + 1)
      total++
      return 'admitted'
    },
    release(source) {
      const left = (open.get(source) ?? 0) - 1
      if (left > 0) open.set(source, left)
      else open.delete(source)
      total--
    },
  }
}
