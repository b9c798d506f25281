// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { editDistance, nearest } from './nearest.ts'

const KNOWN = ['api', 'api-key', 'api-listen', 'db-file', 'tls-cert', 'tls-key']

for (const [typed, meant, why] of [
  ['db-fiel', 'db-file', 'has two letters exchanged'],
  ['dbfile', 'db-file', 'lacks the dash'],
  ['api-l', 'api-listen', 'is its beginning'],
  ['tls-', 'tls-key', 'begins two names, of which this one is shorter'],
  ['tls-cret', 'tls-cert', 'is nearer to this one than to tls-key'],
] as const) {
  test(`"${typed}" is taken for "${meant}": it ${why}`, () => assert.equal(nearest(typed, KNOWN), meant))
}

for (const typed of ['', 'x', 'ap', 'retention', 'port', 'constructor']) {
  test(`"${typed}" is like nothing that is known`, () => assert.equal(nearest(typed, KNOWN), null))
}

test('the distance is a metric: zero only to itself, the same both ways, no detour shorter', () => {
  const text = fc.stringMatching(/^[a-c]{0,8}$/)
  fc.assert(
    fc.property(text, text, text, (one, other, third) => {
      assert.equal(editDistance(one, other) === 0, one === other)
      assert.equal(editDistance(one, other), editDistance(other, one))
      assert(editDistance(one, third) <= editDistance(one, other) + editDistance(other, third))
    }),
  )
})

test('one letter put in, left out or exchanged is a distance of one', () => {
  for (const other of ['sentrypear', 'sentrypee', 'sentryypeer']) assert.equal(editDistance('sentrypeer', other), 1)
})
