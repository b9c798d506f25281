// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// Child process of the API's benchmarks, their floor: node:http with answers that are always the same, from memory.
// `/bytes/N` gets N bytes; anything else the body of a look-up whose length is the first argument.

import { createServer } from 'node:http'

const bodies = new Map<number, Buffer>()

function body(bytes: number): Buffer {
  const made = bodies.get(bytes) ?? Buffer.from(JSON.stringify({ body: 'x'.repeat(Math.max(0, bytes - 11)) }))
  bodies.set(bytes, made)
  return made
}

const lookup = body(Number(process.argv[2] ?? 1_000))
const server = createServer((request, response) => {
  const bytes = /^\/bytes\/(\d{1,9})$/.exec(request.url ?? '')?.[1]
  const answer = bytes === undefined ? lookup : body(Number(bytes))
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': answer.length })
  response.end(answer)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`${JSON.stringify({ port: typeof address === 'object' ? address?.port : 0 })}\n`)
})
process.stdin.on('end', () => process.exit()).resume()
