// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRememberedTable, type Linked } from './remembered-table.ts'

interface Item extends Linked<Item> {}

const MAX = 8
// Many share a bucket, and some differ in the other half only.
const hash = fc.record({ high: fc.constantFrom(0, -1), low: fc.constantFrom(0, 1, 2, 16, 17, -16, -15) })

test('a table finds what a map finds, and knows the oldest, whatever is put in and taken out', () => {
  const step = fc.record({ hash, takesOut: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const table = createRememberedTable<Item>(MAX)
      const expected = new Map<string, Item>()
      for (const { hash, takesOut } of steps) {
        const key = `${hash.high} ${hash.low}`
        const there = expected.get(key)
        if (there !== undefined && takesOut) {
          table.delete(there)
          expected.delete(key)
          assert.deepEqual([there.next, there.older, there.newer], [null, null, null], 'holds on to nobody')
        } else if (there === undefined) {
          const item: Item = { ...hash, next: null, older: null, newer: null }
          table.add(item)
          expected.set(key, item)
        }
        assert.equal(table.size(), expected.size)
        assert.equal(table.oldest(), expected.values().next().value ?? null)
        for (const high of [0, -1]) {
          for (const low of [hash.low, 1, 17])
            assert.equal(table.get(high, low), expected.get(`${high} ${low}`) ?? null)
        }
      }
    }),
  )
})
