// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'

const WORDS = [
  'numbers',
  'ip-addresses',
  'ip-address',
  'ipset',
  'events',
  'health-check',
  'metrics',
  'openapi.json',
  '8.8.8.8',
  '2a00::1',
  '+100',
  '%2B100',
  '..',
  '.',
  '*',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  '%',
  '%00',
  '%0d%0a',
  '%ff',
  '%c0%ae',
  '%E2%80%AE',
  '%2525',
  'a'.repeat(3_000),
]
const NAMES = [
  'limit',
  'cursor',
  'since',
  'order',
  'min_proof',
  'format',
  'ip',
  'number',
  'method',
  '__proto__',
  'toString',
]
const VALUES = [
  '1',
  '0',
  '-1',
  '1e999',
  '9'.repeat(30),
  'newest',
  'echo',
  'nft',
  'json',
  '2026-01-01',
  'WyIxIl0',
  'W10',
  '8.8.8.8',
  '[]',
  '%00',
  '%',
]

const byte = fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code))
const noise = fc.array(byte, { maxLength: 30 }).map((bytes) => bytes.join(''))
const part = (words: readonly string[]) => fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...words) }, noise)
const pair = fc.tuple(part(NAMES), part(VALUES)).map(([name, value]) => `${name}=${value}`)
const target = fc
  .tuple(fc.array(part(WORDS), { maxLength: 4 }), fc.array(pair, { maxLength: 4 }))
  .map(([path, query]) => `/${path.join('/')}${query.length > 0 ? `?${query.join('&')}` : ''}`)
const method = fc.constantFrom('GET', 'GET', 'GET', 'GET', 'HEAD', 'OPTIONS', 'POST', 'QUERY')

async function startApi(t: TestContext) {
  const events = Array.from({ length: 300 }, (_, n) => ({
    sourceIp: `8.8.8.${n % 250}`,
    calledNumber: String(n),
    proof: 'echo' as const,
  }))
  return await startFixtureApi(t, createFixtureReader(...events))
}

test('no target and no query makes the API fail, and every answer is whole and ours', async (t) => {
  const api = await startApi(t)
  await fc.assert(
    fc.asyncProperty(method, target, async (verb, url) => {
      const answer = await api.raw(`${verb} ${url} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
      const [head = '', body = ''] = answer.split('\r\n\r\n', 2)
      assert.match(head, /^HTTP\/1\.1 [234]\d\d /)
      assert.match(head, /^X-Powered-By: SentryPeer$/m)
      const type = /^content-type: ([^;\r]*)/im.exec(head)?.[1]
      const chunked = /^transfer-encoding: chunked$/im.test(head)
      if (type === 'application/json' && verb !== 'HEAD' && !chunked) JSON.parse(body)
    }),
    { numRuns: 500 },
  )
  assert.deepEqual(api.log, [])
})

test('no header makes the API fail', async (t) => {
  const api = await startApi(t)
  const name = fc.constantFrom(
    'Accept',
    'Accept-Encoding',
    'If-None-Match',
    'Authorization',
    'Content-Type',
    'Origin',
    'Range',
    'Accept-Version',
    'Upgrade',
  )
  const value = fc.oneof(
    noise,
    fc.constantFrom('*', 'gzip;q=1;q=2', 'W/"', '""', 'Bearer', 'text/html;q=', ';', ',,,', 'h2c'),
  )
  await fc.assert(
    fc.asyncProperty(
      name,
      value,
      fc.constantFrom('/numbers', '/', '/ip-addresses/8.8.8.8'),
      async (header, text, url) => {
        const answer = await api.raw(
          `GET ${url} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${header}: ${text}\r\n\r\n`,
        )
        assert.match(answer, /^HTTP\/1\.1 [234]\d\d /)
      },
    ),
    { numRuns: 300 },
  )
  assert.deepEqual(api.log, [])
})

test('no bytes at all make the API fail', async (t) => {
  const api = await startApi(t)
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
      const answer = await api.raw(`${Buffer.from(bytes).toString('latin1')}\r\n\r\n`)
      assert.match(answer, /^HTTP\/1\.1 [234]\d\d /)
    }),
    { numRuns: 200 },
  )
})

test('a client that resets in the middle of anything is no failure', async (t) => {
  const api = await startApi(t)
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('GET /numbers', 'CONNECT x:1', 'GET %'), fc.nat(70), async (start, length) => {
      const request = `${start} HTTP/1.1\r\nHost: localhost\r\n\r\nGET /events HTTP/1.1\r\nExpect: x\r\n\r\n`
      await new Promise<void>((resolve) => {
        const socket = connect(api.port, '127.0.0.1', () => {
          socket.write(request.slice(0, length))
          socket.resetAndDestroy()
        })
        socket.on('error', () => {})
        socket.on('close', () => resolve())
      })
    }),
  )
  assert.equal((await api.get('/numbers')).status, 200)
  assert.deepEqual(api.log, [])
})
