// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createSlabs } from './slabs.ts'

test('copies keep what was copied, whatever is copied after them', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 3_000, size: 'max' }), { maxLength: 50, size: 'max' }), (all) => {
      const copy = createSlabs()
      const area = Buffer.alloc(3_000) // where a socket writes them one after the other
      const copies = all.map((bytes) => {
        area.set(bytes)
        return copy(area.subarray(0, bytes.length))
      })
      assert.deepEqual(
        copies.map((bytes) => Uint8Array.from(bytes)),
        all,
      )
    }),
  )
})

test('a short message holds no more than 4 KiB of memory, a long one its own', () => {
  const copy = createSlabs()
  for (let at = 0; at < 100; at++) assert.ok(copy(Buffer.alloc(450)).buffer.byteLength <= 4_096)
  assert.equal(copy(Buffer.alloc(50_000)).buffer.byteLength, 50_000)
})
