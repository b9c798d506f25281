// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import { countBelow, entriesOf, MAX_OFFSET } from './run-entries.ts'
import type { RunKind } from './runs.ts'

/** Ids of events that may be of a key with this hash, below `before`, newest first; read as they are asked for. */
export type IdsInRuns = (kind: RunKind, hash: number, before: number) => Generator<number, void>

/** Makes the function that looks through the runs (runs.ts), inside the caller's view of the database. */
export function createIdsInRuns(database: DatabaseSync): IdsInRuns {
  const runs = database.prepare(
    "SELECT run, after_id FROM runs WHERE kind = ? AND state = 'visible' AND after_id < ? ORDER BY upto_id DESC",
  )
  const chunkWithLast = database.prepare(`SELECT first_hash, first_offset, entries FROM run_chunks
    WHERE run = ? AND (first_hash, first_offset) < (?, ?) ORDER BY first_hash DESC, first_offset DESC LIMIT 1`)

  return function* (kind, hash, before) {
    for (const { run, after_id: afterCell } of runs.all(kind, before)) {
      const afterId = Number(afterCell)
      // Down from the last entry below `before`, chunk by chunk while the hash goes on.
      for (let limit = Math.min(before - afterId, MAX_OFFSET + 1); ; ) {
        const row = chunkWithLast.get(Number(run), hash, limit)
        if (row === undefined) break
        const entries = entriesOf(row['entries'])
        let at = countBelow(entries, hash, limit) - 1
        for (; at >= 0 && entries[2 * at] === hash; at--) yield (entries[2 * at + 1] ?? 0) + afterId
        if (at >= 0 || Number(row['first_hash']) !== hash) break
        limit = Number(row['first_offset'])
      }
    }
  }
}
