// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { inPieces } from './list-stream.ts'

test('small texts become pieces of about the size asked for, and nothing is lost', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 20 })), fc.integer({ min: 1, max: 50 }), (texts, characters) => {
      const pieces = [...inPieces(texts, characters)]
      assert.equal(pieces.join(''), texts.join(''))
      for (const piece of pieces.slice(0, -1)) assert.ok(piece.length >= characters && piece.length < characters + 20)
    }),
  )
})
