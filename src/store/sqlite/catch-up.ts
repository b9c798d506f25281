// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import { createFolds, type Fold, type FoldRange } from './fold.ts'
import { createChangeNote, createProgress, lowestFrom, type Part, VIEWS } from './progress.ts'
import { createRuns, RUN_SIZES, type Runs } from './runs.ts'
import { inTransaction } from './transaction.ts'

/*
 * What makes the views follow `honey` (docs/adr/0001-views-behind-a-watermark.md): decides what to fold, merge and
 * delete next, in steps of some milliseconds. Few rows are folded at once, so a quiet file has no tail. In a flood they
 * gather until there are enough that a fold writes each page for many of them.
 */

/** How much at a time; tests have smaller ones. */
export const CATCH_UP_SIZES = {
  ...RUN_SIZES,
  /** Up to so many rows are folded in one go. */
  fewRows: 2_048,
  /** So many are folded also while more keep coming. A multiple of what readers keep together. */
  manyRows: 65_536,
  /** More is for the background: readers need not add it, and find it when it is counted. */
  mostTailRows: 262_144,
  rowsInStep: 2_048, // 4 to 6 ms
  keysInStep: 1_024, // 4 to 8 ms where each key is a page of its own
}

// While events keep coming, few rows are folded too, if that takes about a twentieth of the time.
const PAUSE_MS = 50
const PAUSE_TIMES = 20

// Rows read and keys written for each row appended while a fold is under way: a fold of many rows does one and at most
// three (an address, two numbers), merging adds some. Chosen: it ends when about as many new ones have come.
const WORK_PER_ROW = 2.5
const WORK_PER_ROW_BEHIND = 5
const WORK_OF_TIDYING = 2_048 // a slice of it takes as long

export interface CatchUp {
  readonly runs: Runs
  /**
   * Does the next step, if any. `isQuiet`: nothing was appended for a moment, and no more is waited for. False when
   * there is nothing to do now.
   */
  step(isQuiet: boolean): boolean
  /**
   * So many new rows owe work: what is not done between the batches is done here, so that the tail stays bounded in a
   * flood, and a row costs the same.
   */
  owe(rows: number): void
  /** Whether rows wait for a quiet moment. */
  isBehind(): boolean
  /** Leaves what other programs inserted to the background where it is too much for a tail. */
  leaveForLater(): void
}

export function createCatchUp(database: DatabaseSync, sizes: typeof CATCH_UP_SIZES = CATCH_UP_SIZES): CatchUp {
  const runs = createRuns(database, sizes)
  const beginFold = createFolds(database, runs)
  const progress = createProgress(database)
  const lastIdQuery = database.prepare('SELECT max(honey_id) AS id FROM honey')
  const firstInterval = database.prepare('SELECT from_id, upto_id FROM uncounted ORDER BY from_id LIMIT 1')
  const addInterval = database.prepare('INSERT INTO uncounted VALUES (?, ?)')
  const firstIdFrom = database.prepare('SELECT min(honey_id) AS id FROM honey WHERE honey_id BETWEEN ? AND ?')
  const dropInterval = database.prepare('DELETE FROM uncounted WHERE from_id = ?')
  const noteChange = createChangeNote(database)
  let fold: Fold | null = null
  let owed = 0
  let pausedUntilMs = 0

  const lastId = () => Number(lastIdQuery.get()?.['id'] ?? 0)
  const isUnderWay = (part: Part) => {
    const at = progress.read(part)
    return VIEWS.some((view) => at[view].from < at[view].upto)
  }
  const rangeOf = (part: Part, upto: number, withEvents: boolean): FoldRange => {
    return { part, upto, withEvents, rowsInStep: sizes.rowsInStep, keysInStep: sizes.keysInStep }
  }

  function leaveForLater(): void {
    const at = progress.read('newest')
    const upto = lastId()
    if (upto - lowestFrom(at) <= sizes.mostTailRows || fold !== null || isUnderWay('newest')) return
    const counted = lowestFrom(at, ['bad_actors', 'called_numbers'])
    // Rows that are counted and not in the index yet are few.
    if (at.events.from < counted) for (const _ of beginFold(rangeOf('newest', counted, true)));
    const before = JSON.stringify(progress.read('newest'))
    inTransaction(database, () => {
      if (JSON.stringify(progress.read('newest')) !== before) return // another program has gone on meanwhile
      addInterval.run(counted + 1, upto)
      for (const view of VIEWS) progress.save('newest', view, { from: upto, upto, doneKey: '' })
      noteChange() // for lists, these rows are not there until they are counted
    })
  }

  /** What to fold of the tail now. */
  function tailRange(isQuiet: boolean): FoldRange | null {
    const at = progress.read('newest')
    const begun = Math.max(...VIEWS.filter((view) => at[view].from < at[view].upto).map((view) => at[view].upto), 0)
    if (begun > 0) return rangeOf('newest', begun, at.events.from < begun)
    const upto = lastId()
    const from = lowestFrom(at, ['bad_actors', 'called_numbers'])
    const unindexed = upto - at.events.from
    if (upto - from >= sizes.manyRows) return rangeOf('newest', from + sizes.manyRows, true)
    const isFew = upto - from <= sizes.fewRows
    if (upto - from > 0 && (isQuiet || (isFew && performance.now() >= pausedUntilMs))) {
      const range = rangeOf('newest', upto, unindexed >= sizes.fewRows)
      return isFew ? { ...range, rowsInStep: Number.MAX_SAFE_INTEGER, keysInStep: Number.MAX_SAFE_INTEGER } : range
    }
    return isQuiet && unindexed >= sizes.fewRows ? rangeOf('newest', upto, true) : null
  }

  /** The next rows of those that wait in `uncounted`. */
  function backgroundRange(): FoldRange | null {
    if (!isUnderWay('uncounted') && firstInterval.get() === undefined) return null
    return inTransaction(database, () => {
      if (isUnderWay('uncounted')) return rangeOf('uncounted', progress.read('uncounted').events.upto, true)
      const interval = firstInterval.get()
      if (interval === undefined) return null // another program has had it
      const [from, upto] = [Number(interval['from_id']), Number(interval['upto_id'])]
      const firstId = Number(firstIdFrom.get(from, upto)?.['id'] ?? upto) // there may be any gap in the ids
      const begin = { from: firstId - 1, upto: firstId - 1, doneKey: '' }
      dropInterval.run(from)
      addInterval.run(firstId, upto)
      for (const view of VIEWS) progress.save('uncounted', view, begin)
      return rangeOf('uncounted', Math.min(upto, firstId + sizes.manyRows - 1), true)
    })
  }

  function goOn(): number {
    const going = fold
    fold = null // forgotten when a step fails, and then begun anew
    const { done, value } = going?.next() ?? { done: true, value: 0 }
    if (done !== true) fold = going
    return value ?? 0
  }

  /** Does a step; gives how much work it was, or null when there was none. */
  function work(isQuiet: boolean): number | null {
    if (fold !== null) return goOn()
    leaveForLater()
    const startMs = performance.now()
    const range = tailRange(isQuiet)
    if (range !== null) {
      fold = beginFold(range)
      if (range.keysInStep === sizes.keysInStep) return goOn()
      let done = 0
      while (fold !== null) done += goOn()
      const nowMs = performance.now()
      pausedUntilMs = nowMs + PAUSE_MS + PAUSE_TIMES * (nowMs - startMs)
      return done
    }
    if (runs.tidySlice()) return WORK_OF_TIDYING
    const background = backgroundRange()
    if (background === null) return null
    fold = beginFold(background)
    return goOn()
  }

  function pay(isQuiet: boolean): boolean {
    const done = work(isQuiet)
    owed = done === null ? 0 : Math.max(0, owed - done)
    return done !== null
  }

  function isBehind(): boolean {
    return lastId() > lowestFrom(progress.read('newest'), ['bad_actors', 'called_numbers'])
  }

  return {
    runs,
    step: pay,
    owe(rows) {
      const tail = lastId() - lowestFrom(progress.read('newest'))
      owed += rows * (tail > 1.5 * sizes.manyRows ? WORK_PER_ROW_BEHIND : WORK_PER_ROW)
      while (owed > sizes.manyRows / 2) pay(false) // what a burst owes is done when it is over
    },
    isBehind,
    leaveForLater,
  }
}
