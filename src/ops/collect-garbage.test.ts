// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { collectGarbage, collectWhenQuiet } from './collect-garbage.ts'

test('what nobody holds any more is collected, and the program has no gc() of its own afterwards', async () => {
  const gone = new WeakRef(Array.from({ length: 1_000_000 }, (_, n) => ({ n })))
  const before = process.memoryUsage().heapUsed
  await setImmediate() // a WeakRef holds its object until the round is over
  collectGarbage()
  assert.ok(process.memoryUsage().heapUsed < before - 8_000_000)
  assert.equal(gone.deref(), undefined)
  assert.equal('gc' in globalThis, false)
})

test('what a start and a flood leave behind is collected once each, when it is quiet', () => {
  let done = 0
  let collected = 0
  let look = () => {}
  const stop = collectWhenQuiet(
    () => done,
    (intervalMs, action) => {
      assert.equal(intervalMs, 10_000)
      look = action
      return () => {
        look = () => {}
      }
    },
    () => collected++,
  )
  const after = (more: number) => {
    done += more
    look()
    return collected
  }
  assert.deepEqual([after(5_000), after(999), after(0)], [0, 1, 1], 'the start')
  assert.deepEqual([after(19_999), after(0)], [1, 1], 'not much')
  assert.deepEqual([after(20_000), after(5_000), after(20_000), after(10), after(10)], [1, 1, 1, 2, 2], 'a flood')
  after(20_000)
  stop()
  assert.equal(after(0), 2)
})
