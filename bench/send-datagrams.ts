// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// Child process of the benchmarks where there is no C compiler: sends probes to a loopback port at a steady rate.
// Arguments: port, datagrams a second, how many, number of the first.

import { createSocket } from 'node:dgram'
import { probe } from './messages.ts'

const SOURCES = 200 // 127.x.y.z addresses, a socket for each
const PREPARED = 4_096

const [port = 0, rate = 0, total = 0, first = 0] = process.argv.slice(2, 6).map(Number)
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
const packets: Buffer[] = []

let sent = 0
let refused = 0
const start = performance.now()
while (sent < total) {
  const due = Math.min(total, Math.floor(((performance.now() - start) / 1000) * rate))
  for (; sent < due; sent++) {
    if (sent % PREPARED === 0) for (let at = 0; at < PREPARED; at++) packets[at] = probe(first + sent + at)
    sockets[sent % SOURCES]?.send(packets[sent % PREPARED] ?? Buffer.alloc(0), port, '127.0.0.1', (error) => {
      if (error !== null) refused++
    })
  }
  await new Promise((resolve) => setImmediate(resolve))
}
const elapsedS = (performance.now() - start) / 1000
await new Promise((resolve) => setTimeout(resolve, 300)) // the last replies
for (const socket of sockets) socket.close()
process.stdout.write(JSON.stringify({ sent: sent - refused, elapsedS, replies }))
