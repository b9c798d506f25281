// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Server, Socket } from 'node:net'
import type { IpAddress } from '../net/ip.ts'
import { createClientShare } from './client-share.ts'

export interface ConnectionShare {
  /** Connections that were closed at once, because their client or all of them together had too many. */
  refused(): number
}

/**
 * Lets one client have `mostPerClient` connections of a server at a time (client-share.ts). Whoever opens as many as there
 * are would keep everybody else out.
 */
export function shareConnections(
  server: Server,
  mostPerClient: number,
  isUnlimited: (address: IpAddress) => boolean,
): ConnectionShare {
  const share = createClientShare(mostPerClient, isUnlimited)
  let refused = 0

  server.on('drop', () => refused++) // more than `maxConnections`
  server.prependListener('connection', (socket: Socket) => {
    const release = share.take(socket.remoteAddress)
    if (release === null) {
      refused++
      socket.destroy()
    } else socket.once('close', release)
  })
  return { refused: () => refused }
}
