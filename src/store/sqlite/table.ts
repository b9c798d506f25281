// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import { type PackedBatch, unpack } from '../../event/packed.ts'
import type { Retransmissions } from '../store.ts'
import { type Countable, createCounter } from './aggregate.ts'
import { createRowInsert } from './insert.ts'
import { splitSource } from './source.ts'

const SLICE_ROWS = 5_000 // chosen: counting one takes about 10 ms, and ingest waits no longer than that

export interface HoneyTable {
  /** Looks for rows that others inserted since the last batch of ours; `countSlice` then has work. */
  noteRowsOfOthers(): void
  /**
   * Inserts and counts in one transaction: all of it, or an exception and nothing of it. Gives the honeyId of the first
   * row; those of the others follow it one by one, since nobody else can insert meanwhile.
   */
  append(batch: PackedBatch): number
  /** Adds to the retransmissions of rows in one transaction. */
  amend(counts: readonly Retransmissions[]): void
  /** Counts one slice of rows that others inserted. False when there are none left. */
  countSlice(): boolean
}

/** The writing of rows, on a database from `openForWriting`. Synchronous: it is what the writer's thread does. */
export function createHoneyTable(database: DatabaseSync): HoneyTable {
  const setCounted = database.prepare("UPDATE sentrypeer SET value = CAST(? AS INTEGER) WHERE name = 'counted_upto'")
  const getCounted = database.prepare("SELECT value FROM sentrypeer WHERE name = 'counted_upto'")
  const lastId = database.prepare('SELECT max(honey_id) AS id FROM honey')
  const addInterval = database.prepare('INSERT INTO uncounted VALUES (?, ?)')
  const firstInterval = database.prepare('SELECT from_id, upto_id FROM uncounted ORDER BY from_id LIMIT 1')
  const dropInterval = database.prepare('DELETE FROM uncounted WHERE from_id = ?')
  const sliceRows =
    database.prepare(`SELECT honey_id, event_timestamp, source_ip, called_number, request_user, proof, proof_by
    FROM honey WHERE honey_id BETWEEN ? AND ? ORDER BY honey_id LIMIT ${SLICE_ROWS}`)
  const setSource = database.prepare(
    'UPDATE honey SET source_ip = ?, source_port = coalesce(?, source_port) WHERE honey_id = ?',
  )
  const addRetransmissions = database.prepare(
    'UPDATE honey SET retransmissions = retransmissions + ? WHERE honey_id = ?',
  )
  const insertRows = createRowInsert(database)
  const count = createCounter(database)

  /** Rows above the last counted one that are not ours: somebody else inserted them, and they wait to be counted. */
  function noteForeignRows(uptoId: number): void {
    const counted = Number(getCounted.get()?.['value'])
    if (uptoId > counted) addInterval.run(counted + 1, uptoId)
  }

  function noteRowsOfOthers(): void {
    const upto = Number(lastId.get()?.['id'] ?? 0)
    if (upto <= Number(getCounted.get()?.['value'])) return
    inTransaction(database, () => {
      noteForeignRows(upto)
      setCounted.run(upto)
    })
  }

  noteRowsOfOthers()
  return {
    noteRowsOfOthers,
    append(batch) {
      const events = unpack(batch)
      let firstId = 0
      inTransaction(database, () => {
        firstId = insertRows(events)
        noteForeignRows(firstId - 1)
        count(events)
        setCounted.run(firstId + events.length - 1)
      })
      return firstId
    },
    amend(counts) {
      inTransaction(database, () => {
        for (const { honeyId, retransmissions } of counts) addRetransmissions.run(retransmissions, honeyId)
      })
    },
    countSlice() {
      const interval = firstInterval.get()
      if (interval === undefined) return false
      const [from, upto] = [Number(interval['from_id']), Number(interval['upto_id'])]
      inTransaction(database, () => {
        const rows = sliceRows.all(from, upto)
        for (const row of rows) {
          const { ip, port } = splitSource(row['source_ip'])
          if (ip !== row['source_ip']) setSource.run(ip, port, Number(row['honey_id']))
        }
        count(rows.map(countable))
        dropInterval.run(from)
        const last = Number(rows.at(-1)?.['honey_id'] ?? upto)
        if (rows.length === SLICE_ROWS && last < upto) addInterval.run(last + 1, upto)
      })
      return true
    },
  }
}

function inTransaction(database: DatabaseSync, work: () => void): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    work()
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

function countable(row: Record<string, unknown>): Countable {
  return {
    timestamp: String(row['event_timestamp'] ?? ''),
    sourceIp: splitSource(row['source_ip']).address,
    calledNumber: textOrNull(row['called_number']),
    requestUser: textOrNull(row['request_user']),
    proof: String(row['proof'] ?? 'none'),
    proofBy: textOrNull(row['proof_by']),
  }
}

function textOrNull(cell: unknown): string | null {
  return typeof cell === 'string' ? cell : null
}
