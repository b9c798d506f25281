// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeTimers } from './fixture-timers.ts'
import { createDeadlines, systemTimers, type Waiting } from './timers.ts'

const STEP_MS = 500

interface Named extends Waiting<Named> {
  readonly name: string
}

const named = (name: string): Named => ({ name, waitsIn: null, waitsBehind: null, waitsBefore: null })

/** Deadlines that note when each item expired. */
function deadlinesOf() {
  const timers = fakeTimers()
  const expired: [item: string, atMs: number][] = []
  let nowMs = 0
  const deadlines = createDeadlines<Named>(timers, STEP_MS, ({ name }) => expired.push([name, nowMs]))
  const advance = (ms: number) => {
    for (const endMs = nowMs + ms; nowMs < endMs; ) {
      nowMs++
      timers.advance(1)
    }
  }
  return { timers, deadlines, expired, advance }
}

test('each item waits for as long as asked for, and up to a step longer', () => {
  const { deadlines, expired, advance } = deadlinesOf()
  const asked = new Map<string, number>()
  for (let atMs = 0; atMs < 2_000; atMs += 130) {
    for (const afterMs of [300, 5_000]) {
      asked.set(`${atMs}+${afterMs}`, atMs + afterMs)
      deadlines.start(named(`${atMs}+${afterMs}`), afterMs)
    }
    advance(130)
  }
  advance(10_000)
  assert.equal(expired.length, asked.size)
  for (const [item, atMs] of expired) {
    const late = atMs - (asked.get(item) ?? 0)
    assert.ok(late >= 0 && late <= STEP_MS, `${item} was ${late} ms late`)
  }
})

test('ten thousand items that begin to wait within a step share a timer', () => {
  const { timers, deadlines, expired, advance } = deadlinesOf()
  for (let item = 0; item < 10_000; item++) deadlines.start(named(String(item)), 1_000)
  assert.equal(timers.running(), 1)
  advance(2_000)
  assert.deepEqual([expired.length, timers.running()], [10_000, 0])
})

test('an item that was called off does not expire, nor does any after the stop', () => {
  const { timers, deadlines, expired, advance } = deadlinesOf()
  const [first, kept, last] = ['first', 'kept', 'last'].map(named)
  assert.ok(first !== undefined && kept !== undefined && last !== undefined)
  for (const item of [first, kept, last]) deadlines.start(item, 100)
  for (const item of [first, last, first]) deadlines.cancel(item)
  advance(700)
  deadlines.start(named('stopped'), 100)
  deadlines.stop()
  assert.equal(timers.running(), 0)
  advance(1_000)
  assert.deepEqual(
    expired.map(([item]) => item),
    ['kept'],
  )
})

test('an item that begins to wait again waits for that alone, and may do so when it expires', () => {
  const { timers, deadlines, expired, advance } = deadlinesOf()
  const item = named('again')
  deadlines.start(item, 100)
  deadlines.start(item, 5_000)
  advance(1_000)
  assert.deepEqual(expired, [])
  advance(5_000)
  deadlines.start(item, 100)
  advance(1_000)
  assert.deepEqual([expired.length, timers.running()], [2, 0])
})

test("the system's timers fire, unless they were called off", async () => {
  const timers = systemTimers()
  const fired: string[] = []
  const kept = setInterval(() => {}, 1_000) // they keep no process alive
  timers.after(1, () => fired.push('called off'))()
  await new Promise<void>((resolve) => timers.after(2, resolve))
  clearInterval(kept)
  assert.deepEqual(fired, [])
})
