// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTurns } from './turns.ts'

test('of all who wait for a turn, one gets it per round of the event loop, in the order they came', async () => {
  const turn = createTurns()
  const rounds = new Map<string, number>()
  let round = 0
  const count = () => {
    round++
    if (rounds.size < 6) setImmediate(count)
  }
  setImmediate(count)
  const take = async (name: string) => {
    for (const time of [1, 2]) {
      await turn()
      rounds.set(`${name}${time}`, round)
    }
  }
  await Promise.all(['a', 'b', 'c'].map(take))
  assert.deepEqual([...rounds.keys()], ['a1', 'b1', 'c1', 'a2', 'b2', 'c2'])
  assert.equal(new Set(rounds.values()).size, 6)
})
