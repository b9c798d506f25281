// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import { type PackedBatch, unpack } from '../../event/packed.ts'
import type { Retransmissions } from '../store.ts'
import { createRowInsert } from './insert.ts'
import { createChangeNote } from './progress.ts'
import { inTransaction } from './transaction.ts'

export interface HoneyTable {
  /**
   * Inserts in one transaction: all of it, or an exception and nothing of it. Gives the honeyId of the first row; those
   * of the others follow it one by one, since nobody else can insert meanwhile.
   */
  append(batch: PackedBatch): number
  /** Adds to the retransmissions of rows in one transaction. */
  amend(counts: readonly Retransmissions[]): void
}

/** The writing of rows, on a database from `openForWriting`. Synchronous: it is what the writer's thread does. */
export function createHoneyTable(database: DatabaseSync): HoneyTable {
  const insertRows = createRowInsert(database)
  const highestInViews = database.prepare("SELECT max(upto_id) AS id FROM views WHERE part = 'newest'")
  const setId = database.prepare('UPDATE honey SET honey_id = ? WHERE honey_id = ?')
  const addRetransmissions = database.prepare(
    'UPDATE honey SET retransmissions = retransmissions + ? WHERE honey_id = ?',
  )
  const noteChange = createChangeNote(database)
  let highestOfOurs = 0

  /** SQLite gives the ids of the newest rows again when somebody deleted those, but what the views had they have. */
  function unusedId(id: number): number {
    const highest = Math.max(highestOfOurs, Number(highestInViews.get()?.['id']))
    if (id > highest) return id
    setId.run(highest + 1, id)
    return highest + 1
  }

  return {
    append(batch) {
      const [first, ...others] = unpack(batch)
      if (first === undefined) throw new Error('a batch has one event at least')
      const firstId = inTransaction(database, () => {
        const id = unusedId(insertRows([first]))
        if (others.length > 0) insertRows(others)
        return id
      })
      highestOfOurs = Math.max(highestOfOurs, firstId + others.length)
      return firstId
    },
    amend(counts) {
      inTransaction(database, () => {
        noteChange()
        for (const { honeyId, retransmissions } of counts) addRetransmissions.run(retransmissions, honeyId)
      })
    },
  }
}
