// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// Child process of the lookup benchmark, its floor: node:http with an answer that is always the same.

import { createServer } from 'node:http'

const body = JSON.stringify({
  phone_number_found: '0046500729221',
  seen_first: '2026-01-01 00:00:00.000000000',
  seen_count: '1',
})
const server = createServer((_, response) => {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
  response.end(body)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`)
})
process.on('disconnect', () => process.exit())
