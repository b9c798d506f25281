// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type IpAddress, networkOf } from '../net/ip.ts'
import { MOST } from '../ops/open-files.ts'

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

/** Chosen: far above what a real client does. */
export const CONNECTION_LIMITS: ConnectionLimits = {
  maxPerSource: 100,
  maxTotal: MOST.sipConnections,
  messageMs: 30_000,
  idleMs: 120_000,
  tlsHandshakeMs: 10_000,
}

/** The place of a connection among those that are open. */
export interface Place {
  /** It brought a whole message: others give way before it. */
  spoke(): void
  /** Gives the place back; again does nothing. */
  release(): void
}

/**
 * Counts connections per source and in all, over every stream listener of the node. Where there is no place left, the
 * connection that has brought nothing for longest gives way to the new one, of those that have never brought anything
 * first: whoever holds all places would otherwise keep everybody else out for as long as the deadlines are.
 */
export interface Doorkeeper {
  /** `giveWay` has to close the connection at once; its place is given back by then. Null: its source has too many. */
  admit(source: IpAddress, giveWay: () => void): Place | null
}

export function createDoorkeeper({ maxPerSource, maxTotal }: ConnectionLimits): Doorkeeper {
  const open = new Map<string, number>()
  const silent = new Map<Place, () => void>() // in the order of their opening
  const spoken = new Map<Place, () => void>() // in the order of their last message

  function makeRoom(): void {
    for (const places of [silent, spoken]) {
      for (const [place, giveWay] of places) {
        if (silent.size + spoken.size < maxTotal) return
        place.release()
        giveWay()
      }
    }
  }

  return {
    admit(source, giveWay) {
      const network = networkOf(source)
      const fromSource = open.get(network) ?? 0
      if (fromSource >= maxPerSource) return null
      makeRoom()
      const place: Place = {
        spoke() {
          if (silent.delete(place) || spoken.delete(place)) spoken.set(place, giveWay)
        },
        release() {
          if (!silent.delete(place) && !spoken.delete(place)) return
          const left = (open.get(network) ?? 0) - 1
          if (left > 0) open.set(network, left)
          else open.delete(network)
        },
      }
      open.set(network, (open.get(network) ?? 0) + 1) // who gave way may be of the same source
      silent.set(place, giveWay)
      return place
    },
  }
}
