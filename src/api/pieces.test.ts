// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
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

test('packed pieces are one gzip file of what went in', () => {
  fc.assert(
    fc.property(texts, sizes, sizes, (all, characters, leastBytes) => {
      const parts = [...packed(inPieces(all, characters), leastBytes)]
      assert.equal(gunzipSync(Buffer.concat(parts)).toString(), all.join(''))
      for (const piece of parts) assert.equal(piece.buffer.byteLength, piece.length)
    }),
  )
})

test('gzip itself unpacks it', (t) => {
  const text = Array.from({ length: 20_000 }, (_, n) => `row ${n}\n`).join('')
  const { status, stdout } = spawnSync('gzip', ['-dc'], { input: Buffer.concat([...packed(inPieces([text], 1_000))]) })
  if (status === null) return t.skip('there is no gzip')
  assert.equal(status, 0)
  assert.equal(String(stdout), text)
})

test('packing reads no further ahead than it must', () => {
  let taken = 0
  function* endless() {
    for (;;) {
      taken++
      yield* inPieces([randomBytes(16_000).toString('latin1')])
    }
  }
  const pieces = packed(endless())
  for (let n = 0; n < 3; n++) pieces.next()
  assert.equal(taken, 3)
})
