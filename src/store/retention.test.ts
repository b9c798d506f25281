// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { startRetention } from './retention.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

function retention(purge: (before: string) => Promise<number>) {
  const said: string[] = []
  const clock = { wall: Date.UTC(2026, 5, 15, 12), steady: 0 }
  let look = () => {}
  const stop = startRetention({
    retainMs: 90 * DAY_MS,
    purge,
    clock: { wallMs: () => clock.wall, steadyMs: () => clock.steady },
    log: { notice: (text) => said.push(text), warn: (text) => said.push(`! ${text}`) },
    every: (intervalMs, action) => {
      assert.equal(intervalMs, HOUR_MS)
      look = action
      return () => {
        look = () => {}
      }
    },
  })
  return {
    said,
    clock,
    stop,
    /** An hour passes on both clocks. */
    async hour() {
      clock.wall += HOUR_MS
      clock.steady += HOUR_MS
      look()
      await setImmediate()
    },
  }
}

test('what is older than asked for is deleted every hour, and said when there was any', async () => {
  const asked: string[] = []
  const counts = [3, 0]
  const { hour, said } = retention(async (before) => {
    asked.push(before)
    return counts.shift() ?? 0
  })
  assert.deepEqual(asked, [], 'not at the start')
  await hour()
  await hour()
  assert.deepEqual(asked, ['2026-03-17 13:00:00.000000000', '2026-03-17 14:00:00.000000000'])
  assert.deepEqual(said, ['Deleted 3 events from before 2026-03-17 13:00 UTC (--retain)'])
})

test('a clock that was set holds the deleting up for an hour', async () => {
  let purges = 0
  const { hour, clock, said } = retention(async () => ++purges)
  clock.wall += 365 * DAY_MS
  await hour()
  assert.equal(purges, 0)
  assert.match(said[0] ?? '', /^! The clock was set/)
  await hour()
  assert.equal(purges, 1)
})

test('a database that refuses is asked again an hour later', async () => {
  let tries = 0
  const { hour, said } = retention(async () => {
    if (++tries === 1) throw new Error('database is locked')
    return 1
  })
  await hour()
  assert.deepEqual(said, ['! Cannot delete old events, trying again in an hour: database is locked'])
  await hour()
  assert.equal(tries, 2)
})

test('one that is slow is not asked twice at a time, and after the stop not at all', async () => {
  let tries = 0
  const first = Promise.withResolvers<number>()
  const { hour, stop } = retention(async () => (++tries === 1 ? first.promise : 0))
  await hour()
  await hour()
  assert.equal(tries, 1)
  first.resolve(0)
  await setImmediate()
  await hour()
  assert.equal(tries, 2)
  stop()
  await hour()
  assert.equal(tries, 2)
})
