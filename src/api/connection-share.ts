// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Server, Socket } from 'node:net'
import { type IpAddress, networkOf, parseIp } from '../net/ip.ts'

export interface ConnectionShare {
  /** Connections that were closed at once, because their client or all of them together had too many. */
  refused(): number
}

/**
 * Lets one client have `mostPerClient` connections of a server at a time: an IPv4 address, or a /64 of IPv6. Whoever
 * opens as many as there are would keep everybody else out. `isUnlimited` names those that may have any number.
 */
export function shareConnections(
  server: Server,
  mostPerClient: number,
  isUnlimited: (address: IpAddress) => boolean,
): ConnectionShare {
  const open = new Map<string, number>()
  let refused = 0

  server.on('drop', () => refused++) // more than `maxConnections`
  server.prependListener('connection', (socket: Socket) => {
    const address = parseIp(socket.remoteAddress ?? '')
    if (address === null || isUnlimited(address)) return // null: it is gone already
    const client = networkOf(address)
    const others = open.get(client) ?? 0
    if (others >= mostPerClient) {
      refused++
      socket.destroy()
      return
    }
    open.set(client, others + 1)
    socket.once('close', () => {
      const left = (open.get(client) ?? 0) - 1
      if (left > 0) open.set(client, left)
      else open.delete(client)
    })
  })
  return { refused: () => refused }
}
