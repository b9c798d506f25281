// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import { type CountedRow, createCountedRows } from './counted-rows.ts'
import { createGathered, type Gathered, type GatherFrom, gatherRow, runOf } from './gathered.ts'
import { createKeyHash } from './key-hash.ts'
import { type AllProgress, createProgress, lowestFrom, type Part, type Progress, VIEWS, type View } from './progress.ts'
import type { Runs } from './runs.ts'
import { splitSource } from './source.ts'
import { inTransaction } from './transaction.ts'
import { createViewTables } from './view-tables.ts'

/*
 * A fold puts rows of `honey` into the views: it reads a range of them in order, groups them by key, and adds the groups
 * in order of the keys, so that each page of a view is written once for all the rows on it. It does so in steps of some
 * milliseconds, each change in a short transaction together with how far the view is then, so readers always know which
 * rows they still have to add, and a fold that ended halfway goes on there: it reads its rows again.
 */

export interface FoldRange {
  readonly part: Part
  /** The last id; at most 2^21 above where the views are. */
  readonly upto: number
  /** Without it the index of events stays behind: a run for each event would be too many. */
  readonly withEvents: boolean
  /** How much one step does: rows that it reads, keys that it writes. */
  readonly rowsInStep: number
  readonly keysInStep: number
}

/** Each step gives what it did: rows read, keys written. After an exception, which costs nothing, it is begun anew. */
export type Fold = Generator<number, void>

const COUNTED_VIEWS = ['bad_actors', 'called_numbers'] as const

/** Makes the function that begins a fold, or goes on with the one that `views` tells of. */
export function createFolds(database: DatabaseSync, runs: Runs): (range: FoldRange) => Fold {
  const readRows = createCountedRows(database)
  const tables = createViewTables(database)
  const progress = createProgress(database)
  const indexKey = database.prepare("SELECT value FROM sentrypeer WHERE name = 'index_key'").get()
  const hash = createKeyHash(String(indexKey?.['value']))
  const setSource = database.prepare(
    'UPDATE honey SET source_ip = ?, source_port = coalesce(?, source_port) WHERE honey_id = ?',
  )
  const dropInterval = database.prepare('DELETE FROM uncounted WHERE from_id = ?')
  const addInterval = database.prepare('INSERT INTO uncounted SELECT ?1, ?2 WHERE ?1 <= ?2')
  const intervalOf = database.prepare('SELECT upto_id FROM uncounted WHERE from_id = ?')

  /** Rows of others may have `ip:port` for a source: an address must be found all the same. */
  function gather(gathered: Gathered, from: GatherFrom, rows: readonly CountedRow[]): void {
    const changed: (() => void)[] = []
    for (const row of rows) {
      const { id, sourceIp } = row
      const sourceHash = typeof sourceIp === 'string' ? hash(sourceIp) : 0
      if (typeof sourceIp === 'string' && gathered.groups.bad_actors.has(sourceIp, sourceHash)) {
        gatherRow(gathered, from, row, sourceIp, sourceHash, hash) // split before
        continue
      }
      const { ip, port, address } = splitSource(sourceIp)
      const isPlain = address === null || address === sourceIp
      if (!isPlain) changed.push(() => setSource.run(ip, port, id))
      gatherRow(gathered, from, row, address, isPlain ? sourceHash : hash(address), hash)
    }
    if (changed.length > 0) {
      inTransaction(database, () => {
        for (const change of changed) change()
      })
    }
    for (const view of COUNTED_VIEWS) gathered.groups[view].sortNew()
  }

  /** Two programs that have the file open would count the same rows twice: who finds the other ahead begins anew. */
  function mustBe(part: Part, expected: AllProgress): void {
    const now = progress.read(part)
    if (VIEWS.every((view) => isSame(now[view], expected[view]))) return
    throw new Error('another program has gone on with the views meanwhile')
  }

  /** The groups of a view that a fold has not written yet, in order. */
  function* writeGroups(
    { part, upto, withEvents, keysInStep }: FoldRange,
    at: AllProgress,
    { groups }: Gathered,
    expected: Record<View, Progress>,
  ): Fold {
    const behind = COUNTED_VIEWS.filter((view) => at[view].from < upto)
    const left = behind.map((view) => ({ view, sorted: groups[view].sorted(at[view].doneKey), done: 0 }))
    let isBegun = false
    while (left.length > 0) {
      yield inTransaction(database, () => {
        mustBe(part, expected)
        if (!isBegun) for (const view of VIEWS) if (withEvents || view !== 'events') begin(view)
        isBegun = true
        let written = 0
        while (left[0] !== undefined && written < keysInStep) {
          const { view, sorted, done } = left[0]
          const now = sorted.slice(done, done + keysInStep - written)
          let added = 0
          for (const group of now) if (tables[view](group.key, group)) added++
          written += now.length
          left[0].done += now.length
          if (left[0].done === sorted.length) {
            save(view, { from: upto, upto, doneKey: '' }, added)
            left.shift()
          } else save(view, { from: at[view].from, upto, doneKey: now.at(-1)?.key ?? '' }, added)
        }
        return written
      })
    }

    function begin(view: View): void {
      if (at[view].from < upto && at[view].upto !== upto) save(view, { ...at[view], upto })
    }

    function save(view: View, now: Progress, added = 0): void {
      progress.save(part, view, now, added)
      expected[view] = now
    }
  }

  function* writeRuns({ part, upto }: FoldRange, at: AllProgress, { index }: Gathered, expected: AllProgress): Fold {
    const { from } = at.events
    const sorted = { address: runOf(index, 'address', from), number: runOf(index, 'number', from) }
    yield 0
    inTransaction(database, () => {
      mustBe(part, expected)
      if (from < upto) {
        for (const kind of ['address', 'number'] as const) runs.add(kind, from, upto, sorted[kind], index.firstAt ?? '')
        progress.save(part, 'events', { from: upto, upto, doneKey: '' })
      }
      if (part === 'newest') return
      const interval = intervalOf.get(from + 1)
      dropInterval.run(from + 1)
      addInterval.run(upto + 1, Number(interval?.['upto_id'] ?? upto))
    })
  }

  return function* fold(range) {
    const { part, upto, withEvents, rowsInStep } = range
    const at = progress.read(part)
    const gathered = createGathered()
    const events = withEvents ? at.events.from : Number.POSITIVE_INFINITY
    const from = { bad_actors: at.bad_actors.from, called_numbers: at.called_numbers.from, events }
    for (let after = lowestFrom(at, withEvents ? VIEWS : COUNTED_VIEWS); ; ) {
      const rows = readRows(after, upto, rowsInStep)
      gather(gathered, from, rows)
      after = rows.at(-1)?.id ?? upto
      if (rows.length < rowsInStep || after >= upto) break
      yield rows.length
    }
    const expected = { ...at }
    yield* writeGroups(range, at, gathered, expected)
    if (withEvents) yield* writeRuns(range, at, gathered, expected)
  }
}

function isSame(one: Progress, other: Progress): boolean {
  return one.from === other.from && one.upto === other.upto && one.doneKey === other.doneKey
}
