// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/**
 * A UDP port that nobody uses. Tools that all take the same one by default would hear what was meant for the one before:
 * an answer goes out after its event is stored, and some do not wait for the last of them.
 */
export async function freeUdpPort(host: string): Promise<number> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4').bind(0, host)
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  await once(socket, 'close')
  return port
}
