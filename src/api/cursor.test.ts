// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CURSOR_PATTERN, decodeCursor, encodeCursor } from './cursor.ts'

test('a cursor reads back as what it was made from, and fits a URL as it is', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), (parts) => {
      const cursor = encodeCursor(parts)
      assert.match(cursor, new RegExp(CURSOR_PATTERN))
      assert.deepEqual(decodeCursor(cursor, parts.length), parts)
      assert.equal(decodeCursor(cursor, parts.length + 1), null)
    }),
  )
})

test('no text that is not a cursor is taken for one, and none throws', () => {
  fc.assert(
    fc.property(
      fc.string(),
      (text) => decodeCursor(text, 2) === null || encodeCursor(decodeCursor(text, 2) ?? []) !== '',
    ),
  )
  for (const parts of ['{}', '[1,2]', '["a",null]', 'null', '"ab"', '[["a"],"b"]']) {
    assert.equal(decodeCursor(Buffer.from(parts).toString('base64url'), 2), null, parts)
  }
})
