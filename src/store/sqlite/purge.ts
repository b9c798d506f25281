// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import { createChangeNote, createProgress, lowestFrom, type View } from './progress.ts'
import type { Runs } from './runs.ts'
import { secondOf, TIME_OF_ROW } from './schema.ts'
import { inTransaction } from './transaction.ts'

/*
 * Deletes what is old, a little at a time. Rows of ours are in the order of time, unless the clock was wrong; those that
 * others inserted need not be. Rows that no view has yet are not touched; a key that is seen again just then is as good as
 * new.
 *
 * The newest row stays, however old it is: SQLite gives the next row of a table the highest id plus one, also to a program
 * that knows nothing of our watermarks, and a row at or below one of those would never be counted. AUTOINCREMENT would
 * say so as well, but a file of the C program would have to be written anew for it, and each batch would pay. A watermark
 * that was set back would give ids again that logs, cursors and readers have.
 */

const ROWS_IN_SLICE = 2_000 // as many as a batch holds, so that it keeps up with a flood; about 5 ms
const KEYS_IN_SLICE = 1_000

type CountedView = Exclude<View, 'events'>

/** How much is gone. */
export interface Purged {
  readonly events: number
  readonly badActors: number
  readonly calledNumbers: number
}

export type PurgeMessage =
  | { readonly kind: 'purging'; readonly purged: Purged }
  | { readonly kind: 'purged'; readonly purged: Purged }

export interface Purge {
  /**
   * Begins a purge of what is older than this time, if none is under way. A thorough one looks at every row; another ends
   * where 2,000 rows in a row stay, and so reads little of a large file.
   */
  begin(before: string, isThorough?: boolean): void
  /** Goes on in one short transaction, and says how far it is; null when there is nothing to do. */
  slice(): PurgeMessage | null
}

export function createPurge(database: DatabaseSync, runs: Runs): Purge {
  const progress = createProgress(database)
  const nextRows = database.prepare(`SELECT honey_id, ${TIME_OF_ROW} AS at FROM honey
    WHERE honey_id > ? AND honey_id <= ? ORDER BY honey_id LIMIT ${ROWS_IN_SLICE}`)
  const firstUncounted = database.prepare('SELECT min(from_id) AS id FROM uncounted')
  const deleteRow = database.prepare('DELETE FROM honey WHERE honey_id = ?')
  const oldest = database.prepare('SELECT min(honey_id) AS id FROM honey')
  const newest = database.prepare('SELECT max(honey_id) AS id FROM honey')
  const deleteKeys = {
    bad_actors: database.prepare(deletion('bad_actors', 'source_ip')),
    called_numbers: database.prepare(deletion('called_numbers', 'called_number')),
  }
  const fewerKeys = database.prepare("UPDATE views SET keys = keys - ? WHERE part = 'newest' AND view = ?")
  const noteChange = createChangeNote(database)
  let going: { readonly before: string; readonly isThorough: boolean; purged: Purged } | null = null
  let steps: Iterator<void> | null = null // begun anew when one fails: what is gone stays gone

  function* events({ before, isThorough }: { before: string; isThorough: boolean }): Generator<number> {
    for (let after = 0; ; ) {
      const counted = lowestFrom(progress.read('newest'), ['bad_actors', 'called_numbers'])
      const upto = Math.min(counted, Number(firstUncounted.get()?.['id'] ?? counted + 1) - 1)
      const rows = nextRows.all(after, upto)
      const old = rows.filter((row) => String(row['at']) < before).map((row) => Number(row['honey_id']))
      const gone = inTransaction(database, () => {
        const newestId = Number(newest.get()?.['id'] ?? 0) // in here: another program may delete, too
        const ids = old.filter((id) => id < newestId)
        if (ids.length > 0) noteChange()
        for (const id of ids) deleteRow.run(id)
        runs.dropUpto(Number(oldest.get()?.['id'] ?? upto + 1) - 1)
        return ids.length
      })
      yield gone
      if (rows.length < ROWS_IN_SLICE || (gone === 0 && !isThorough)) return
      after = Number(rows.at(-1)?.['honey_id'])
    }
  }

  function* keys(view: CountedView, { before }: { before: string }): Generator<number> {
    for (let gone = KEYS_IN_SLICE; gone === KEYS_IN_SLICE; ) {
      gone = inTransaction(database, () => {
        const changes = Number(deleteKeys[view].run(before).changes)
        fewerKeys.run(changes, view)
        if (changes > 0) noteChange()
        return changes
      })
      yield gone
    }
  }

  function* purge(job: NonNullable<typeof going>): Generator<void> {
    for (const [name, work] of [
      ['events', events(job)],
      ['badActors', keys('bad_actors', job)],
      ['calledNumbers', keys('called_numbers', job)],
    ] as const) {
      for (const gone of work) {
        job.purged = { ...job.purged, [name]: job.purged[name] + gone }
        yield
      }
    }
  }

  return {
    begin(before, isThorough = true) {
      going ??= { before, isThorough, purged: { events: 0, badActors: 0, calledNumbers: 0 } }
    },
    slice() {
      if (going === null) return null
      const now = steps ?? purge(going)
      steps = null
      const isDone = now.next().done === true
      const { purged } = going
      if (isDone) going = null
      else steps = now
      return { kind: isDone ? 'purged' : 'purging', purged }
    },
  }
}

/** By the index of time, so that a slice reads no more than it deletes. */
function deletion(view: CountedView, key: string): string {
  return `DELETE FROM ${view} WHERE ${key} IN
    (SELECT ${key} FROM ${view} WHERE ${secondOf('seen_last')} <= ${secondOf('?1')} AND seen_last < ?1
     ORDER BY ${secondOf('seen_last')} LIMIT ${KEYS_IN_SLICE})`
}
