// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type IpAddress, networkOf, parseIp } from '../net/ip.ts'

/** Gives each client so many places at a time of something that all clients share. */
export interface ClientShare {
  /** A place for the client at the other end of a connection: gives what lets go of it, once; null when it has all of its own. */
  take(remoteAddress: string | undefined): (() => void) | null
}

/**
 * A client is an IPv4 address, or a /64 of IPv6, since one customer usually has that many addresses. `isUnlimited` names
 * those that may have any number.
 */
export function createClientShare(mostPerClient: number, isUnlimited: (address: IpAddress) => boolean): ClientShare {
  const taken = new Map<string, number>()
  return {
    take(remoteAddress) {
      const address = parseIp(remoteAddress ?? '')
      if (address === null || isUnlimited(address)) return () => {} // null: the connection is gone already
      const client = networkOf(address)
      const others = taken.get(client) ?? 0
      if (others >= mostPerClient) return null
      taken.set(client, others + 1)
      let isGiven = true
      return () => {
        if (!isGiven) return
        isGiven = false
        const left = (taken.get(client) ?? 0) - 1
        if (left > 0) taken.set(client, left)
        else taken.delete(client)
      }
    },
  }
}
