// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { arrayBuffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { acceptsGzip } from './encoding.ts'
import { startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'

for (const [header, accepted] of [
  [undefined, false],
  ['', false],
  ['gzip', true],
  ['GZIP', true],
  ['x-gzip', true],
  ['deflate, gzip;q=0.5', true],
  ['br', false],
  ['gzip;q=0', false],
  ['gzip; q=0.000', false],
  ['*', true],
  ['*;q=0', false],
  ['*, gzip;q=0', false],
  ['identity', false],
] as const) {
  test(`Accept-Encoding: ${header} ${accepted ? 'takes' : 'does not take'} gzip`, () =>
    assert.equal(acceptsGzip(header), accepted))
}

// One more than fits a piece of a streamed list, one that is sent whole, one that is too short to gain.
for (const [numbers, packed] of [
  [1_000, true],
  [50, true],
  [2, false],
] as const) {
  test(`a list of ${numbers} is ${packed ? '' : 'not '}compressed, and is the same list`, async (t) => {
    const reader = createFixtureReader(
      ...Array.from({ length: numbers }, (_, index) => ({ calledNumber: String(index) })),
    )
    const api = await startFixtureApi(t, reader)
    const plain = await api.raw('GET /numbers HTTP/1.0\r\n\r\n')
    const gzipped = Buffer.from(await rawBytes(api.port, 'GET /numbers HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n'))
    const headers = gzipped.subarray(0, gzipped.indexOf('\r\n\r\n')).toString()
    const body = gzipped.subarray(gzipped.indexOf('\r\n\r\n') + 4)
    assert.equal(/content-encoding: gzip/.test(headers), packed)
    assert.match(headers, /vary: Accept-Encoding/)
    const unpacked = packed ? gunzipSync(body) : body
    assert.equal(unpacked.toString(), plain.slice(plain.indexOf('\r\n\r\n') + 4))
  })
}

async function rawBytes(port: number, request: string): Promise<ArrayBuffer> {
  const socket = connect(port, '127.0.0.1')
  socket.write(request)
  return await arrayBuffer(socket)
}
