// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { createRangeCheck } from '../net/ip.ts'
import { startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'
import { createHttpServer } from './http-server.ts'
import { API_LIMITS } from './limits.ts'
import { createRateLimit } from './rate-limit.ts'
import { createRequestCounts } from './request-counts.ts'
import { rootRoute } from './root.ts'

const HOST = 'Host: localhost\r\nConnection: close\r\n'

for (const [why, request, status] of [
  ['another method on a known path', `POST /numbers HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\n{}`, 405],
  ['a method that nobody knows here', `PROPFIND /numbers/100 HTTP/1.1\r\n${HOST}\r\n`, 405],
  ['TRACE', `TRACE / HTTP/1.1\r\n${HOST}\r\n`, 405],
  ['CONNECT', `CONNECT localhost:22 HTTP/1.1\r\n${HOST}\r\n`, 405],
  ['another method on an unknown path', `DELETE /nope HTTP/1.1\r\n${HOST}\r\n`, 404],
  ['a GET with a body', `GET /numbers HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\nx`, 413],
  ['a GET with a chunked body', `GET /numbers HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 413],
  [
    'a body that waits for 100 Continue',
    `GET / HTTP/1.1\r\n${HOST}Content-Length: 9\r\nExpect: 100-continue\r\n\r\n`,
    413,
  ],
  ['another expectation', `GET / HTTP/1.1\r\n${HOST}Expect: tea\r\n\r\n`, 417],
  ['a long target', `GET /numbers/${'1'.repeat(9_000)} HTTP/1.1\r\n${HOST}\r\n`, 414],
  ['a huge target', `GET /numbers/${'1'.repeat(99_000)} HTTP/1.1\r\n${HOST}\r\n`, 431],
  ['huge headers', `GET / HTTP/1.1\r\n${HOST}X-A: ${'a'.repeat(99_000)}\r\n\r\n`, 431],
  ['a path that is not percent-encoding', `GET /numbers/%4 HTTP/1.1\r\n${HOST}\r\n`, 400],
  ['a method that is none', `FOO /numbers HTTP/1.1\r\n${HOST}\r\n`, 400],
  ['two lengths', `GET / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400],
  ['a length and chunks', `GET / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ['SIP', 'OPTIONS sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.2\r\n\r\n', 400],
] as const) {
  test(`${why} is answered ${status}, in JSON, with the headers of every answer`, async (t) => {
    const api = await startFixtureApi(t, createFixtureReader({}))
    const answer = await api.raw(request)
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `))
    assert.match(head, /^X-Powered-By: SentryPeer$/m)
    assert.match(head, /^X-SentryPeer-Version: 1\.2\.3$/m)
    assert.match(head, /^content-type: application\/json; charset=utf-8$/im)
    assert.match(head, new RegExp(`^content-length: ${Buffer.byteLength(body)}$`, 'im'))
    assert.match(JSON.parse(body).error, /^[A-Z][^\n]+$/)
    if (status === 405) assert.match(head, /^allow: GET, HEAD, OPTIONS$/im)
  })
}

test('a request that does not come to its end is answered 408 and cut, however busy its sender', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader(), {}, { requestMs: 200, checkEveryMs: 20 })
  const socket = connect(api.port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\n')
  const drip = setInterval(() => socket.write('X-A: a\r\n'), 10)
  const answer = await text(socket).finally(() => clearInterval(drip))
  assert.match(answer, /^HTTP\/1\.1 408 Request Timeout\r\n/)
  assert.match(answer, /\{"error":"The request was not complete in time"\}$/)
})

test('HEAD is GET without the body', async (t) => {
  const api = await startFixtureApi(
    t,
    createFixtureReader(...Array.from({ length: 2_000 }, (_, n) => ({ calledNumber: String(n) }))),
  )
  for (const path of [
    '/',
    '/health-check',
    '/numbers?limit=3',
    '/numbers/1',
    '/numbers/x',
    '/numbers',
    '/ip-addresses/ipset',
    '/metrics',
  ]) {
    const head = await fetch(`http://127.0.0.1:${api.port}${path}`, { method: 'HEAD' })
    const get = await api.get(path)
    await get.arrayBuffer()
    assert.equal(await head.text(), '', path)
    assert.equal(head.status, get.status, path)
    for (const name of ['content-type', 'etag', 'link', 'vary'])
      assert.equal(head.headers.get(name), get.headers.get(name), path)
    if (path !== '/numbers' && path !== '/metrics') {
      assert.equal(head.headers.get('content-length'), get.headers.get('content-length'), path)
    }
  }
})

test('OPTIONS says what is allowed, and lets a web page ask with If-None-Match', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader())
  for (const path of ['/numbers', '/numbers/100', '/']) {
    const answer = await fetch(`http://127.0.0.1:${api.port}${path}`, { method: 'OPTIONS' })
    assert.equal(answer.status, 204)
    assert.equal(answer.headers.get('allow'), 'GET, HEAD, OPTIONS')
    assert.equal(answer.headers.get('access-control-allow-origin'), '*')
    assert.equal(answer.headers.get('access-control-allow-methods'), 'GET, HEAD, OPTIONS')
    assert.equal(answer.headers.get('access-control-allow-headers'), 'If-None-Match')
  }
  assert.equal((await fetch(`http://127.0.0.1:${api.port}/nope`, { method: 'OPTIONS' })).status, 404)
  assert.match(
    await api.raw(`OPTIONS * HTTP/1.1\r\n${HOST}\r\n`),
    /^HTTP\/1\.1 204 .*\r\nallow: GET, HEAD, OPTIONS\r\n/s,
  )
})

test('a failure of ours is answered 500 without a word of its cause, which the log has', async (t) => {
  const reader = createFixtureReader({})
  const failing = { ...reader, calledNumber: () => assert.fail('disk I/O error at /secret') }
  const api = await startFixtureApi(t, failing)
  const answer = await api.get('/numbers/100')
  assert.equal(answer.status, 500)
  assert.deepEqual(await answer.json(), { error: 'The server failed; its log has the reason' })
  assert.deepEqual(api.log, ['REST API: GET /numbers/100 failed: disk I/O error at /secret\n'])
})

test('an absolute target is the same as its path', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader({}))
  assert.match(await api.raw(`GET http://localhost/numbers/100 HTTP/1.1\r\n${HOST}\r\n`), /^HTTP\/1\.1 200 /)
})

test('a client that asks too often is answered 429 and when to come again; others and loopback are served', async (t) => {
  const requests = createRequestCounts()
  const app = createHttpServer({
    routes: [rootRoute()],
    rules: {
      rate: createRateLimit(createRangeCheck(['192.0.2.0/24']), { perSecond: 0.1, burst: 2, clients: 10 }, () => 0),
      checkHost: false,
      allowOrigins: false,
      hasKey: () => true,
      onWrongKey: () => {},
    },
    limits: API_LIMITS,
    version: '1.2.3',
    requests,
    onFailure: () => {},
  })
  t.after(() => app.close())
  const ask = async (remoteAddress: string) => {
    const { statusCode, headers } = await app.inject({ url: '/', remoteAddress })
    return [statusCode, headers['retry-after']]
  }
  for (const [client, answer] of [
    ['198.51.100.1', [200, undefined]],
    ['198.51.100.1', [200, undefined]],
    ['198.51.100.1', [429, '10']],
    ['198.51.100.2', [200, undefined]],
    ...Array.from({ length: 5 }, () => ['192.0.2.1', [200, undefined]] as const),
    ...Array.from({ length: 5 }, () => ['127.0.0.1', [200, undefined]] as const),
  ] as const) {
    assert.deepEqual(await ask(client), answer, client)
  }
  assert.deepEqual(
    requests.readings().map(({ labels: { status }, value }) => [status, value]),
    [
      ['200', 13],
      ['429', 1],
    ],
  )
})
