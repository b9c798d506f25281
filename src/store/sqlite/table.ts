// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import { type BadActorEvent, NOT_FOUND } from '../../event/event.ts'
import type { Retransmissions } from '../store.ts'
import { type Countable, createCounter } from './aggregate.ts'
import { splitSource } from './source.ts'

/** One value of a row, as it crosses to the writer's thread. */
export type Cell = string | number | null

/** The columns that an event fills, in the order of `cellsOf`. */
const COLUMNS = [
  'event_timestamp',
  'event_uuid',
  'collected_method',
  'source_ip',
  'called_number',
  'transport_type',
  'method',
  'user_agent',
  'sip_message',
  'created_by_node_id',
  'source_port',
  'destination_ip',
  'destination_port',
  'request_user',
  'proof',
  'origin',
  'fault',
  'fingerprint',
  'tool',
  'proof_by',
  'auth_user',
  'auth_realm',
  'auth_nonce',
  'auth_response',
  'auth_algorithm',
  'auth_password',
] as const

const SLICE_ROWS = 5_000 // chosen: counting one takes about 10 ms, and ingest waits no longer than that

const NO_CREDENTIALS = { user: null, realm: null, nonce: null, response: null, algorithm: null, password: null }

/** The cells of a batch in one flat array: half the cost of an array for each row when it crosses a thread. */
export function cellsOf(batch: readonly BadActorEvent[]): Cell[] {
  const cells: Cell[] = []
  for (const event of batch) {
    cells.push(event.timestamp, event.eventUuid, event.collectedMethod, event.sourceIp, event.calledNumber ?? NOT_FOUND)
    cells.push(event.transport, event.method ?? NOT_FOUND, event.userAgent ?? NOT_FOUND, event.sipMessage)
    cells.push(event.createdByNodeId, event.sourcePort, event.destinationIp, event.destinationPort, event.requestUser)
    cells.push(event.proof, event.origin, event.fault, event.fingerprint, event.tool, event.proofBy)
    const { user, realm, nonce, response, algorithm, password } = event.credentials ?? NO_CREDENTIALS
    cells.push(user, realm, nonce, response, algorithm, password)
  }
  return cells
}

export interface HoneyTable {
  /** Looks for rows that others inserted since the last batch of ours; `countSlice` then has work. */
  noteRowsOfOthers(): void
  /**
   * Inserts and counts in one transaction: all of it, or an exception and nothing of it. Gives the honeyId of the first
   * row; those of the others follow it one by one, since nobody else can insert meanwhile.
   */
  append(cells: readonly Cell[]): number
  /** Adds to the retransmissions of rows in one transaction. */
  amend(counts: readonly Retransmissions[]): void
  /** Counts one slice of rows that others inserted. False when there are none left. */
  countSlice(): boolean
}

/** The writing of rows, on a database from `openForWriting`. Synchronous: it is what the writer's thread does. */
export function createHoneyTable(database: DatabaseSync): HoneyTable {
  const places = COLUMNS.map(() => '?').join(', ')
  const insert = database.prepare(`INSERT INTO honey (${COLUMNS.join(', ')}) VALUES (${places})`)
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
    append(cells) {
      let firstId = 0
      inTransaction(database, () => {
        let id = 0
        for (let at = 0; at < cells.length; at += COLUMNS.length) {
          id = Number(insert.run(...cells.slice(at, at + COLUMNS.length)).lastInsertRowid)
          if (at !== 0) continue
          firstId = id
          noteForeignRows(id - 1)
        }
        count(countables(cells))
        setCounted.run(id)
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

function* countables(cells: readonly Cell[]): Iterable<Countable> {
  for (let at = 0; at < cells.length; at += COLUMNS.length) {
    yield {
      timestamp: String(cells[at]),
      sourceIp: String(cells[at + 3]),
      calledNumber: textOrNull(cells[at + 4]),
      requestUser: textOrNull(cells[at + 13]),
      proof: String(cells[at + 14]),
      proofBy: textOrNull(cells[at + 19]),
    }
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
