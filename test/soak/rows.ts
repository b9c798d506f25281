// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import { type Flow, type Ledger, markIn, placeOf, verbatimKey } from './ledger.ts'

const MAX_EXAMPLES = 5

/** What the database has of what was sent. */
export interface Tally {
  readonly rows: number
  /** Sum of that column. */
  readonly retransmissions: number
  /** Copies of datagrams that are in a row, or counted on one. */
  readonly datagrams: number
  /** Rows beyond the first of a datagram that was sent more than once. */
  readonly again: number
  /** Messages of sound streams that are nowhere. */
  readonly missingOfStreams: number
  /** What cannot be explained by any counter. */
  readonly faults: readonly string[]
}

interface Row {
  readonly honeyId: number
  readonly address: string
  readonly port: number
  readonly transport: string
  readonly retransmissions: number
  readonly message: string
}

/** How often each thing was found: in rows, and in rows with what is counted on them. */
interface Found {
  readonly rows: Uint16Array
  readonly copies: Uint16Array
}

/** Holds each row against what was sent: nothing is there that was not sent, and nothing more often. */
export function tallyRows(database: DatabaseSync, ledger: Ledger): Tally {
  const flows = new Map(ledger.flows().map((flow) => [flow.name, { flow, found: nothingFound(flow) }]))
  const byPlace = new Map<string, number>()
  const byBytes = new Map<string, { rows: number; copies: number }>()
  const unknown: string[] = []
  let [rows, retransmissions, datagrams, unknowns] = [0, 0, 0, 0]

  function place(row: Row): boolean {
    const copies = 1 + row.retransmissions
    const from = placeOf(row.address, row.port)
    if (row.transport !== 'UDP' && ledger.connections.has(from)) {
      byPlace.set(from, (byPlace.get(from) ?? 0) + copies)
      return true
    }
    const mark = markIn(row.message)
    const known = mark === null ? undefined : flows.get(mark.flow)
    if (mark !== null && known !== undefined && mark.number < known.flow.count()) {
      add(known.found.rows, mark.number, 1)
      add(known.found.copies, mark.number, copies)
      return true
    }
    const key = verbatimKey(row.address, row.port, row.message)
    if (!ledger.verbatim.has(key)) return false
    const before = byBytes.get(key) ?? { rows: 0, copies: 0 }
    byBytes.set(key, { rows: before.rows + 1, copies: before.copies + copies })
    return true
  }

  for (const row of rowsOf(database)) {
    rows++
    retransmissions += row.retransmissions
    if (row.transport === 'UDP') datagrams += 1 + row.retransmissions
    if (place(row)) continue
    if (unknowns++ < MAX_EXAMPLES) unknown.push(`row ${row.honeyId} from ${row.address}:${row.port} was never sent`)
  }
  const marked = [...flows.values()].map(({ flow, found }) => boundsKept(flow, found))
  const streams = connectionsKept(ledger, byPlace)
  const others = bytesKept(ledger, byBytes)
  const sum = (pick: (part: Kept) => number) =>
    [...marked, streams, others].reduce((total, part) => total + pick(part), 0)
  return {
    rows,
    retransmissions,
    datagrams,
    again: sum(({ again }) => again),
    missingOfStreams: sum(({ missing }) => missing),
    faults: [
      ...(unknowns > MAX_EXAMPLES ? [`${unknowns} rows were never sent, of which:`] : []),
      ...unknown,
      ...[...marked, streams, others].flatMap(({ faults }) => faults),
    ],
  }
}

interface Kept {
  readonly again: number
  readonly missing: number
  readonly faults: readonly string[]
}

function boundsKept(flow: Flow, { rows, copies }: Found): Kept {
  const tooMany: string[] = []
  let [again, missing] = [0, 0]
  for (let number = 0; number < flow.count(); number++) {
    const { least, most } = flow.boundsOf(number)
    const found = copies[number] ?? 0
    again += Math.max(0, (rows[number] ?? 0) - 1)
    missing += Math.max(0, least - found)
    if (found > most) tooMany.push(`${flow.name} ${number} was sent ${most} times and is there ${found} times`)
  }
  return { again, missing, faults: shortened(tooMany) }
}

function connectionsKept({ connections }: Ledger, found: ReadonlyMap<string, number>): Kept {
  const tooMany: string[] = []
  let missing = 0
  for (const [from, { least, most }] of connections) {
    const copies = found.get(from) ?? 0
    missing += Math.max(0, least - copies)
    if (copies > most) tooMany.push(`the connection from ${from} had ${most} messages and has left ${copies}`)
  }
  return { again: 0, missing, faults: shortened(tooMany) }
}

function bytesKept({ verbatim }: Ledger, found: ReadonlyMap<string, { rows: number; copies: number }>): Kept {
  const tooMany: string[] = []
  let again = 0
  for (const [key, { rows, copies }] of found) {
    const sent = verbatim.get(key) ?? 0
    again += rows - 1
    if (copies > sent) tooMany.push(`a datagram of ${key} was sent ${sent} times and is there ${copies} times`)
  }
  return { again, missing: 0, faults: shortened(tooMany) }
}

function shortened(faults: readonly string[]): string[] {
  if (faults.length <= MAX_EXAMPLES) return [...faults]
  return [...faults.slice(0, MAX_EXAMPLES), `… and ${faults.length - MAX_EXAMPLES} more like that`]
}

function* rowsOf(database: DatabaseSync): Generator<Row> {
  const select = database.prepare(
    `SELECT honey_id AS honeyId, source_ip AS address, source_port AS port, transport_type AS transport, retransmissions,
     sip_message AS message FROM honey ORDER BY honey_id`,
  )
  for (const row of select.iterate()) {
    yield {
      honeyId: Number(row['honeyId']),
      address: String(row['address']),
      port: Number(row['port']),
      transport: String(row['transport']),
      retransmissions: Number(row['retransmissions']),
      message: String(row['message']),
    }
  }
}

function nothingFound(flow: Flow): Found {
  return { rows: new Uint16Array(flow.count()), copies: new Uint16Array(flow.count()) }
}

function add(counts: Uint16Array, number: number, count: number): void {
  counts[number] = (counts[number] ?? 0) + count
}
