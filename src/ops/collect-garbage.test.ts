// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { collectGarbage } from './collect-garbage.ts'

test('what nobody holds any more is collected, and the program has no gc() of its own afterwards', async () => {
  const gone = new WeakRef(Array.from({ length: 1_000_000 }, (_, n) => ({ n })))
  const before = process.memoryUsage().heapUsed
  await setImmediate() // a WeakRef holds its object until the round is over
  collectGarbage()
  assert.ok(process.memoryUsage().heapUsed < before - 8_000_000)
  assert.equal(gone.deref(), undefined)
  assert.equal('gc' in globalThis, false)
})
