// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createTimestampFormat, systemClock } from './clock.ts'

for (const [wallMs, expected] of [
  [0, '1970-01-01 00:00:00.000000000'],
  [1_700_000_000_000, '2023-11-14 22:13:20.000000000'],
  [1_700_000_000_001.5, '2023-11-14 22:13:20.001500000'],
  [1_700_000_000_999.999, '2023-11-14 22:13:20.999999'],
] as const) {
  test(`${wallMs} ms is written ${expected}…`, () => assert.ok(createTimestampFormat()(wallMs).startsWith(expected)))
}

test('timestamps always have nine digits and sort as the times do', () => {
  const format = createTimestampFormat()
  const time = fc.double({ min: 0, max: 4e12, noNaN: true })
  fc.assert(
    fc.property(time, time, (one, other) => {
      const [first, second] = [format(Math.min(one, other)), format(Math.max(one, other))]
      assert.match(first, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9}$/)
      assert.ok(first <= second)
    }),
  )
})

test('the system clock agrees with Date.now() and has a finer grain', () => {
  const clock = systemClock()
  assert.ok(Math.abs(clock.wallMs() - Date.now()) < 50)
  const readings = Array.from({ length: 100 }, () => clock.wallMs())
  assert.ok(readings.some((reading) => reading !== Math.floor(reading)))
})
