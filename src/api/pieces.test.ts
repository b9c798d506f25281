// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { inPieces, packed, packedWhole } from './pieces.ts'

const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 20 }))
const sizes = fc.integer({ min: 1, max: 50 })

test('small texts become pieces of about the size asked for, and nothing is lost', () => {
  fc.assert(
    fc.property(texts, sizes, (all, characters) => {
      const pieces = [...inPieces(all, characters)].map((piece) => Buffer.from(piece).toString())
      assert.equal(pieces.join(''), all.join(''))
      for (const piece of pieces.slice(0, -1)) assert.ok(piece.length >= characters)
    }),
  )
})

test('each piece has memory of its own, which may be handed to another thread', () => {
  for (const piece of [...inPieces(['a'.repeat(100), 'b'.repeat(100)], 60), packedWhole(Buffer.from('abc'))]) {
    assert.equal(piece.buffer.byteLength, piece.length)
  }
})

test('packed pieces unpack to what went in', async () => {
  await fc.assert(
    fc.asyncProperty(texts, sizes, async (all, characters) => {
      const parts: Uint8Array[] = []
      for await (const piece of packed(inPieces(all, characters))) parts.push(piece)
      assert.equal(gunzipSync(Buffer.concat(parts)).toString(), all.join(''))
      for (const piece of parts) assert.equal(piece.buffer.byteLength, piece.length)
    }),
    { numRuns: 30 },
  )
})

test('packing reads no further ahead than it must, and an error of the source comes out', async () => {
  let taken = 0
  function* endless() {
    for (;;) {
      taken++
      yield* inPieces([String(Math.random()).repeat(4_000)])
    }
  }
  const pieces = packed(endless())
  for (let n = 0; n < 3; n++) await pieces.next()
  assert.ok(taken < 200, `${taken} pieces read`)
  await pieces.return()
  const broken = packed(
    (function* () {
      yield* inPieces(['a'])
      throw new Error('disk I/O error')
    })(),
  )
  await assert.rejects(async () => {
    for await (const _piece of broken);
  }, /disk I\/O error/)
})
