// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addTo, type Counted, type Group } from './aggregate.ts'
import { createKeyGroups } from './key-groups.ts'

const rows = fc.array(
  fc.record({
    key: fc.nat(3_000).map((number) => `00${46_500_000_000 + number}`),
    timestamp: fc.nat(9).map((second) => `2026-11-22 01:02:0${second}`),
    level: fc.nat(2),
  }),
  { maxLength: 4_000, size: 'max' },
)
const withHow = ({ timestamp, level }: Omit<Counted, 'proofBy'>): Counted => ({ timestamp, level, proofBy: 'tcp' })

for (const [why, hash] of [
  ['each key has a hash of its own', (key: string) => Number(key.slice(-8)) >>> 0],
  ['all keys have the same hash', () => 0xffff_ffff],
] as const) {
  test(`groups by key are those of a Map, in order, where ${why}`, () => {
    const property = fc.property(rows, fc.nat(3_000), (added, done) => {
      const groups = createKeyGroups()
      const expected = new Map<string, Group>()
      for (const [index, { key, ...rest }] of added.entries()) {
        assert.equal(groups.has(key, hash(key)), expected.has(key))
        groups.add(key, hash(key), withHow(rest))
        addTo(expected, key, withHow(rest))
        if (index % 1_000 === 0) groups.sortNew()
      }
      const doneKey = done === 0 ? '' : `00${46_500_000_000 + done}`
      const inOrder = [...expected].filter(([key]) => key > doneKey).sort(([one], [other]) => (one < other ? -1 : 1))
      assert.deepEqual(
        groups.sorted(doneKey),
        inOrder.map(([key, group]) => ({ key, ...group })),
      )
    })
    fc.assert(property, { numRuns: 12 })
  })
}
