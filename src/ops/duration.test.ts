// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationMs } from './duration.ts'

test('hours, days and weeks are read', () => {
  assert.deepEqual(['1h', '36h', '90d', '12w'].map(durationMs), [3_600_000, 129_600_000, 7_776_000_000, 7_257_600_000])
})

test('anything else is no duration', () => {
  for (const text of ['', '0d', '90', 'd', '-1d', '1.5d', '90 d', '90D', '5m', '123456d', '1d\n', '1d2h']) {
    assert.equal(durationMs(text), null, JSON.stringify(text))
  }
})
