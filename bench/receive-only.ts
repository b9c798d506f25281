// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// Child process of the ingest benchmark where there is no C compiler, its floor: a socket that counts datagrams and does
// nothing else. Each line on stdin is answered with the count.

import { createSocket } from 'node:dgram'

const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 })
let received = 0
const say = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`)
socket.on('message', () => received++)
socket.bind({ address: '127.0.0.1', port: 0 }, () => say({ port: socket.address().port }))
process.stdin.on('data', () => say({ received, stored: 0, replied: 0 }))
process.stdin.on('end', () => process.exit())
