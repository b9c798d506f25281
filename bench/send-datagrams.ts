// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// Child process of the ingest benchmark: sends probes to a loopback port at a steady rate and says how many.
// Arguments: port, datagrams a second, seconds, "replies" to count what comes back.

import { createSocket } from 'node:dgram'
import { probe } from './messages.ts'

const SOURCES = 200 // 127.x.y.z addresses, each within its own share of replies

const [port = 0, rate = 0, seconds = 0] = process.argv.slice(2, 5).map(Number)
const total = rate * seconds
const sockets = await Promise.all(
  Array.from({ length: SOURCES }, async (_, index) => {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 })
    const address = `127.${1 + (index >> 7)}.1.${1 + (index & 127)}`
    await new Promise<void>((resolve) => socket.bind({ address, port: 0 }, resolve))
    return socket
  }),
)
let replies = 0
for (const socket of sockets) socket.on('message', () => replies++)
const packets = Array.from({ length: 4_096 }, (_, sequence) => probe(sequence))

let sent = 0
let refused = 0
const start = performance.now()
while (sent < total) {
  const due = Math.min(total, Math.floor(((performance.now() - start) / 1000) * rate))
  for (; sent < due; sent++) {
    sockets[sent % SOURCES]?.send(packets[sent & 4_095] ?? Buffer.alloc(0), port, '127.0.0.1', (error) => {
      if (error !== null) refused++
    })
  }
  await new Promise((resolve) => setImmediate(resolve))
}
const elapsedS = (performance.now() - start) / 1000
await new Promise((resolve) => setTimeout(resolve, 300)) // the last replies
for (const socket of sockets) socket.close()
process.stdout.write(JSON.stringify({ sent: sent - refused, elapsedS, replies }))
