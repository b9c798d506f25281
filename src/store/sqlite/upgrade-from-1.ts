// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import { CATCH_UP_SIZES } from './catch-up.ts'
import { createFolds } from './fold.ts'
import { createProgress } from './progress.ts'
import { createRuns } from './runs.ts'
import { CREATE_TIME_INDEXES, CREATE_VIEWS, DROP_ROW_INDEXES, RUN_FIRST_AT, SCHEMA_VERSION } from './schema.ts'
import { inTransaction } from './transaction.ts'

/*
 * Layout 1 counted in the transaction that inserted, and had indexes on `honey`. What is counted stays counted; runs
 * take the place of the indexes, which go last: whatever ends this halfway, the next start goes on with it.
 */

/** Makes a file of layout 1 one of ours. Takes about 3 s for a million events. */
export function upgradeFrom1(database: DatabaseSync, file: string, onProgress: (text: string) => void): void {
  onProgress(`Upgrading ${file}: indexing its events anew`)
  const hasViews = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'views'").get() !== undefined
  if (!hasViews) inTransaction(database, () => createViews(database))
  addRunTimes(database)
  const fold = createFolds(database, createRuns(database))
  const progress = createProgress(database)
  for (const { from, upto } of countedRanges(database)) {
    const at = progress.read('newest').events
    if (upto <= at.from) continue
    if (from > at.from) progress.save('newest', 'events', { from, upto: from, doneKey: '' })
    for (let done = Math.max(from, at.from); done < upto; ) {
      done = Math.min(upto, done + CATCH_UP_SIZES.manyRows)
      const { rowsInStep, keysInStep } = CATCH_UP_SIZES
      for (const _ of fold({ part: 'newest', upto: done, withEvents: true, rowsInStep, keysInStep }));
    }
  }
  inTransaction(database, () => {
    const { from } = progress.read('newest').bad_actors
    progress.save('newest', 'events', { from, upto: from, doneKey: '' }) // the last of them may be uncounted
    database.exec(`${DROP_ROW_INDEXES} DELETE FROM sentrypeer WHERE name = 'counted_upto'`)
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
  })
  onProgress(`Upgraded ${file}`)
}

function createViews(database: DatabaseSync): void {
  for (const view of ['bad_actors', 'called_numbers'])
    database.exec(`DROP INDEX ${view}_by_time; DROP INDEX proven_${view}_by_time`)
  database.exec(`${CREATE_TIME_INDEXES} ${CREATE_VIEWS}`)
  const counted = "CAST((SELECT value FROM sentrypeer WHERE name = 'counted_upto') AS INTEGER)"
  for (const view of ['bad_actors', 'called_numbers']) {
    database.exec(`UPDATE views SET from_id = ${counted}, upto_id = ${counted}, keys = (SELECT count(*) FROM ${view})
      WHERE view = '${view}' AND part = 'newest'`)
  }
}

/** What is counted, as ranges of ids after `from` and up to `upto`: all but what waits in `uncounted`. */
function countedRanges(database: DatabaseSync): { from: number; upto: number }[] {
  const counted = createProgress(database).read('newest').bad_actors.from
  const intervals = database.prepare('SELECT from_id, upto_id FROM uncounted ORDER BY from_id').all()
  const ranges: { from: number; upto: number }[] = []
  let from = 0
  for (const interval of intervals) {
    ranges.push({ from, upto: Number(interval['from_id']) - 1 })
    from = Number(interval['upto_id'])
  }
  return [...ranges, { from, upto: counted }].filter((range) => range.from < range.upto)
}

/** Files of before a run said when its earliest event was: for what they have, nobody knows. */
export function addRunTimes(database: DatabaseSync): void {
  const column = database.prepare("SELECT 1 FROM pragma_table_info('runs') WHERE name = 'first_at'")
  if (column.get() !== undefined) return
  inTransaction(database, () => {
    if (column.get() === undefined) database.exec(`ALTER TABLE runs ADD COLUMN ${RUN_FIRST_AT}`) // another program may have
  })
}

/** The C program makes its indexes when it opens the file; each new row would pay for them. */
export function dropIndexesOfOthers(database: DatabaseSync, file: string, onProgress: (text: string) => void): void {
  const found = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'honey' AND name IN (?, ?, ?)")
    .all('source_ip_index', 'called_number_index', 'event_uuid_index')
  if (found.length === 0) return
  onProgress(`Dropping the indexes that another program made in ${file}`)
  database.exec(DROP_ROW_INDEXES)
}
