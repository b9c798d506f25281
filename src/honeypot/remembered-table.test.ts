// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRememberedTable, type Linked } from './remembered-table.ts'

interface Item extends Linked<Item> {}

const MAX = 8
// Many share a bucket, and some differ beyond 32 bits only.
const identity = fc.tuple(fc.nat(5), fc.constantFrom(0, 16, 2 ** 40)).map(([low, high]) => low + high)

test('a table finds what a map finds, and knows the oldest, whatever is put in and taken out', () => {
  const step = fc.record({ identity, takesOut: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const table = createRememberedTable<Item>(MAX)
      const expected = new Map<number, Item>()
      for (const { identity, takesOut } of steps) {
        const there = expected.get(identity)
        if (there !== undefined && takesOut) {
          table.delete(there)
          expected.delete(identity)
          assert.deepEqual([there.next, there.older, there.newer], [null, null, null], 'holds on to nobody')
        } else if (there === undefined) {
          const item: Item = { identity, next: null, older: null, newer: null }
          table.add(item)
          expected.set(identity, item)
        }
        assert.equal(table.size(), expected.size)
        assert.equal(table.oldest(), expected.values().next().value ?? null)
        for (const one of [identity, 1, 17]) assert.equal(table.get(one), expected.get(one) ?? null)
      }
    }),
  )
})
