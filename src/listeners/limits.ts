// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { readFile } from 'node:fs/promises'
import { type IpAddress, networkOf } from '../net/ip.ts'

/** What TCP and TLS connections may cost. Deadlines are absolute: a byte a second does not move them. */
export interface ConnectionLimits {
  /** A source is an IPv4 address or an IPv6 /64. */
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

const OTHER_FILES = 100 // chosen: database, logs, listeners and the API's clients; a node at rest has about 40

/** `limits` with no more connections than leave file descriptors for the rest of the process; null is no limit. */
export function withinFileLimit(limits: ConnectionLimits, openFiles: number | null): ConnectionLimits {
  if (openFiles === null) return limits
  const left = openFiles - Math.min(OTHER_FILES, Math.ceil(openFiles / 2))
  return { ...limits, maxTotal: Math.min(limits.maxTotal, left) }
}

/** How many files this process may have open, from /proc/self/limits (proc(5)); null where that is not known. */
export async function openFilesLimit(): Promise<number | null> {
  const table = await readFile('/proc/self/limits', 'latin1').catch(() => '')
  const soft = /^Max open files +(\d+) /m.exec(table)?.[1]
  return soft === undefined ? null : Number(soft)
}

export type Admission = 'admitted' | 'too-many-from-source' | 'too-many'

/** Counts connections per source and in all, over every stream listener of the node. */
export interface Doorkeeper {
  admit(source: IpAddress): Admission
  release(source: IpAddress): void
}

export function createDoorkeeper({ maxPerSource, maxTotal }: ConnectionLimits): Doorkeeper {
  const open = new Map<string, number>()
  let total = 0
  return {
    admit(source) {
      const network = networkOf(source)
      const fromSource = open.get(network) ?? 0
      if (total >= maxTotal) return 'too-many'
      if (fromSource >= maxPerSource) return 'too-many-from-source'
      open.set(network, fromSource + 1)
      total++
      return 'admitted'
    },
    release(source) {
      const network = networkOf(source)
      const left = (open.get(network) ?? 0) - 1
      if (left > 0) open.set(network, left)
      else open.delete(network)
      total--
    },
  }
}
