// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'
import { namesThisMachine } from './host-header.ts'

for (const [host, named] of [
  ['localhost', true],
  ['LOCALHOST:8082', true],
  ['127.0.0.1', true],
  ['127.0.0.1:8082', true],
  ['[::1]:8082', true],
  ['[::1]', true],
  ['192.0.2.1', true],
  [undefined, true],
  ['', false],
  ['evil.example', false],
  ['evil.example:8082', false],
  ['localhost.evil.example', false],
  ['localhost@evil.example', false],
  ['127.0.0.1.evil.example', false],
  ['127.0.0.1:8082:1', false],
  ['::1', false],
  ['[evil.example]', false],
  ['[127.0.0.1]', false],
  ['0x7f.1', false],
] as const) {
  test(`Host: ${host} ${named ? 'means' : 'does not mean'} this machine`, () =>
    assert.equal(namesThisMachine(host), named))
}

const REBOUND = 'GET /numbers HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n'

test('a web page whose name was pointed at us gets nothing', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader({}))
  const answer = await api.raw(REBOUND)
  assert.match(answer, /^HTTP\/1\.1 421 /)
  assert.match(answer, /\r\n\r\n\{"error":"This name is not served here"/)
})

test('with a key any name will do: a page does not have the key', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader({}), { keys: ['k'] })
  assert.match(await api.raw(REBOUND.replace('\r\n\r\n', '\r\nAuthorization: Bearer k\r\n\r\n')), /^HTTP\/1\.1 200 /)
})

test('HTTP/1.1 without a Host header is answered 400, HTTP/1.0 as usual', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader({}))
  const without = await api.raw('GET / HTTP/1.1\r\nConnection: close\r\n\r\n')
  assert.match(without, /^HTTP\/1\.1 400 /)
  assert.match(without, /X-Powered-By: SentryPeer\r\n/)
  assert.match(without, /\{"error":"The request data was invalid"/)
  assert.match(await api.raw('GET / HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 /)
})
