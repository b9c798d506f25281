// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCommitPace, GATHER_MS } from './commit-pace.ts'

/** How many commits of a second wait when events come every so often, each commit taking so long. */
function waits(everyMs: number, commitMs: number): { readonly commits: number; readonly waited: number } {
  let nowMs = 5_000
  const shouldGather = createCommitPace(() => nowMs)
  const untilMs = nowMs + 1_000
  let [commits, waited, nextEventMs] = [0, 0, nowMs]
  while (nowMs < untilMs) {
    nowMs = Math.max(nowMs, nextEventMs)
    if (shouldGather()) {
      waited++
      nowMs += GATHER_MS
    }
    while (nextEventMs <= nowMs) nextEventMs += everyMs
    nowMs += commitMs
    commits++
  }
  return { commits, waited }
}

test('a thousand events a second are committed as they come, and so is a flood whose commits take long', () => {
  assert.equal(waits(1, 0.1).waited, 0)
  assert.equal(waits(0.02, 5).waited, 0)
})

test('ten thousand events a second make about a thousand commits, each of which waits for others', () => {
  const { commits, waited } = waits(0.1, 0.05)
  assert.ok(commits > 800 && commits < 1_200, `${commits} commits`)
  assert.ok(waited > 0.8 * commits, `${waited} waited`)
})

test('a few events at once after a moment without any are committed at once', () => {
  let nowMs = 0
  const shouldGather = createCommitPace(() => nowMs)
  for (let event = 0; event < 20; event++) shouldGather()
  nowMs = 20
  assert.deepEqual(
    Array.from({ length: 8 }, () => shouldGather()),
    new Array(8).fill(false),
  )
})
