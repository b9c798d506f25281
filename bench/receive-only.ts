// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// Child process of the ingest benchmark, its floor: a socket that counts datagrams and does nothing else.

import { createSocket } from 'node:dgram'

const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 })
let received = 0
socket.on('message', () => received++)
socket.bind({ address: '127.0.0.1', port: 0 }, () => process.stdout.write(`${socket.address().port}\n`))
process.on('message', () => process.send?.(received))
process.on('disconnect', () => process.exit())
