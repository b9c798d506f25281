// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createIdsInRuns } from './event-ids.ts'
import { temporaryStore } from './fixture.ts'
import { createProgress } from './progress.ts'
import { ENTRIES_IN_CHUNK } from './run-entries.ts'
import { createRuns, RUN_SIZES } from './runs.ts'
import type { TailView } from './tail.ts'

const EVENTS_IN_RUN = 3 * ENTRIES_IN_CHUNK
const HASHES = 7

test('what is kept of runs is what the file says, while runs come, are merged and take the rows of others', (t) => {
  const { database } = temporaryStore(t)
  const runs = createRuns(database, { ...RUN_SIZES, smallestEntries: ENTRIES_IN_CHUNK, writtenChunks: 2 })
  const kept = createIdsInRuns(database, 4) // of two dozen chunks and more
  const whole = createIdsInRuns(database)
  for (let round = 0; round < 9; round++) {
    const afterId = round * EVENTS_IN_RUN
    runs.add('address', afterId, afterId + EVENTS_IN_RUN, entries(round), timeOf(round))
    for (const isTidied of [false, true]) {
      if (isTidied) while (runs.tidySlice());
      const view = viewOf(createProgress(database))
      for (let hash = 0; hash <= HASHES; hash++) {
        const expected = idsOf(hash, round + 1)
        assert.deepEqual([...kept.find(view, 'address', hash, Number.MAX_SAFE_INTEGER, '')], expected)
        assert.deepEqual([...whole.find(view, 'address', hash, Number.MAX_SAFE_INTEGER, '')], expected)
        const before = expected[5] ?? 1
        assert.deepEqual(
          [...kept.find(view, 'address', hash, before, '')],
          expected.filter((id) => id < before),
        )
        assert.deepEqual([...kept.find(view, 'number', hash, before, '')], [])
      }
    }
    if (round === 5) kept.forget()
  }
})

test('runs of later events alone are not searched, and of a merged one the earliest counts', (t) => {
  const { database } = temporaryStore(t)
  const runs = createRuns(database, { ...RUN_SIZES, smallestEntries: ENTRIES_IN_CHUNK, growth: 2, mostMerged: 2 })
  const inRuns = createIdsInRuns(database)
  const found = (lastAt: string) => {
    const view = viewOf(createProgress(database))
    return [...inRuns.find(view, 'address', 1, Number.MAX_SAFE_INTEGER, lastAt)].length
  }
  const add = (round: number, firstAt: string) =>
    runs.add('address', round * EVENTS_IN_RUN, (round + 1) * EVENTS_IN_RUN, entries(round), firstAt)
  const ofRuns = (count: number) => idsOf(1, count).length
  add(0, timeOf(1))
  add(1, timeOf(2))
  assert.deepEqual(['', timeOf(0), timeOf(1), timeOf(2)].map(found), [ofRuns(2), 0, ofRuns(1), ofRuns(2)])
  while (runs.tidySlice());
  assert.deepEqual([timeOf(0), timeOf(1)].map(found), [0, ofRuns(2)])
  add(2, '') // of a file where nobody knows
  assert.equal(found(timeOf(0)), ofRuns(3) - ofRuns(2))
  add(3, timeOf(3))
  while (runs.tidySlice());
  assert.equal(found(timeOf(0)), ofRuns(4))
})

/** Every event of a run has the next of the hashes; the last of them nobody has. */
function entries(round: number): Uint32Array {
  const pairs = Array.from({ length: EVENTS_IN_RUN }, (_, place) => [
    hashAt(round * EVENTS_IN_RUN + place + 1),
    place + 1,
  ])
  return new Uint32Array(pairs.sort(([one = 0, a = 0], [other = 0, b = 0]) => one - other || a - b).flat())
}

function idsOf(hash: number, rounds: number): number[] {
  const ids = Array.from({ length: rounds * EVENTS_IN_RUN }, (_, place) => place + 1)
  return ids.filter((id) => hashAt(id) === hash).reverse()
}

function hashAt(id: number): number {
  return (id * id) % HASHES
}

function timeOf(round: number): string {
  return `2026-11-2${round % 10} 01:02:03.000000004`
}

function viewOf(progress: ReturnType<typeof createProgress>): TailView {
  return { progress: progress.read('newest'), upto: 0, segments: [], keyOf: (text) => text }
}
