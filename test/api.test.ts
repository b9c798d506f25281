// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { type DaemonProcess, startDaemon } from './daemon-process.ts'
import { tcpClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

// Whoever asks the REST API of a running node for what it should not give. src/api has every case in detail.

const KEY = 'correct-horse-battery-staple-0123456789'
const HOST = 'Host: 127.0.0.1\r\nConnection: close\r\n'

/** An answer as it came: status, headers, body. */
interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
}

async function ask(t: TestContext, daemon: DaemonProcess, request: string): Promise<Answer> {
  const client = await tcpClient(t, daemon.port('HTTP'))
  client.send(request)
  await waitFor('the answer and the end', () => client.socket.readableEnded || client.socket.closed)
  const [head = '', ...body] = client.received().split('\r\n\r\n')
  return { status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]), head, body: body.join('\r\n\r\n') }
}

test('what is no question to the API is refused in JSON, without a word of what is inside', async (t) => {
  const daemon = await startDaemon(t, { api: '127.0.0.1:0' })
  for (const [request, status] of [
    [`GET /nope HTTP/1.1\r\n${HOST}\r\n`, 404],
    [`GET /../../etc/passwd HTTP/1.1\r\n${HOST}\r\n`, 404],
    [`GET /ip-addresses/constructor HTTP/1.1\r\n${HOST}\r\n`, 400],
    [`GET /numbers/__proto__ HTTP/1.1\r\n${HOST}\r\n`, 404],
    [`GET /events?limit=9e9 HTTP/1.1\r\n${HOST}\r\n`, 400],
    [`GET /events?__proto__=1 HTTP/1.1\r\n${HOST}\r\n`, 400],
    [`DELETE /numbers HTTP/1.1\r\n${HOST}\r\n`, 405],
    [`TRACE /health-check HTTP/1.1\r\n${HOST}\r\n`, 405],
    [`POST /events HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\n{}`, 405],
    [`GET /numbers HTTP/1.1\r\n${HOST}Content-Length: 900000000\r\n\r\nx`, 413],
    [`GET /numbers/${'1'.repeat(9_000)} HTTP/1.1\r\n${HOST}\r\n`, 414],
    [`GET / HTTP/1.1\r\n${HOST}X-Filler: ${'x'.repeat(99_000)}\r\n\r\n`, 431],
    [`GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n${HOST}\r\n`, 400],
  ] as const) {
    const answer = await ask(t, daemon, request)
    assert.equal(answer.status, status, `${request.slice(0, 80)}: ${answer.head}`)
    assert.match(answer.head, /^content-type: application\/json/im)
    assert.equal(typeof JSON.parse(answer.body), 'object')
    assert.doesNotMatch(answer.body, /\.ts|\.js|node:|\bat |stack|SQL|sentrypeer\.db/i)
    assert.match(answer.head, /^x-content-type-options: nosniff$/im)
  }
  assert.equal((await ask(t, daemon, `GET /health-check HTTP/1.1\r\n${HOST}\r\n`)).status, 200)
  assert.doesNotMatch((await daemon.stop()).stderr, /failed|bug/)
})

test('a web page whose name was pointed at this machine (DNS rebinding) is told nothing', async (t) => {
  const daemon = await startDaemon(t, { api: '127.0.0.1:0' })
  for (const path of ['/', '/events', '/metrics', '/health-check', '/ip-addresses/ipset']) {
    for (const host of ['attacker.example', 'localhost.attacker.example', '127.0.0.1.nip.io']) {
      const { status, body } = await ask(
        t,
        daemon,
        `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      )
      assert.equal(status, 421, `${path} ${host}`)
      assert.deepEqual(Object.keys(JSON.parse(body)), ['error', 'detail'])
    }
  }
})

test('a key counts in the header Authorization and nowhere else, and is repeated nowhere', async (t) => {
  const daemon = await startDaemon(t, { api: '127.0.0.1:0', env: { SENTRYPEER_API_KEY: KEY } })
  for (const path of ['/events', '/metrics', '/numbers', '/ip-addresses', '/ip-addresses/ipset']) {
    for (const [target, header] of [
      [path, ''],
      [`${path}?key=${KEY}`, ''],
      [`${path}?api_key=${KEY}&access_token=${KEY}`, ''],
      [path, `X-Api-Key: ${KEY}\r\n`],
      [path, `Cookie: key=${KEY}\r\n`],
      [path, `Authorization: Bearer ${KEY.slice(0, -1)}\r\n`],
      [path, `Authorization: Basic ${Buffer.from(`x:${KEY}`).toString('base64')}\r\n`],
    ] as const) {
      const { status, head, body } = await ask(t, daemon, `GET ${target} HTTP/1.1\r\n${HOST}${header}\r\n`)
      assert.equal(status, 401, `${target} ${header}`)
      assert.doesNotMatch(head + body, new RegExp(KEY.slice(0, -1)))
    }
    const { status } = await ask(t, daemon, `GET ${path} HTTP/1.1\r\n${HOST}Authorization: Bearer ${KEY}\r\n\r\n`)
    assert.ok(status === 200 || status === 404, `${path}: ${status}`) // 404 says that nothing was seen yet
  }
  const { body } = await ask(t, daemon, `GET /health-check HTTP/1.1\r\n${HOST}\r\n`)
  assert.deepEqual(Object.keys(JSON.parse(body)), ['status', 'message', 'version'])
  assert.doesNotMatch((await daemon.stop()).stderr, new RegExp(KEY.slice(0, 12)))
})
