// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import type { BadActorEvent } from '../src/event/event.ts'
import { createCatchUp } from '../src/store/sqlite/catch-up.ts'
import { batchOf, eventOf } from '../src/store/sqlite/fixture.ts'
import { openForWriting } from '../src/store/sqlite/open.ts'
import { createHoneyTable } from '../src/store/sqlite/table.ts'
import { NUMBERS, numberOf, probe } from './messages.ts'

export const ADDRESSES = 5_000
const BATCH = 2_000
const CALLS_IN_A_ROW = 10 // of a number, each from another address
const FIRST_MS = Date.UTC(2026, 0, 1)
const EVERY_MS = 10
const DAY_MS = 86_400_000
const WRITTEN = 100_000 // events that are made one by one; those after them are made of these by SQLite
const STEPS_AT_ONCE = 64

/**
 * A new database with so many events of 5,000 addresses that called 100,000 numbers: rows, aggregates and runs as the
 * node writes them. After the first 100,000 the rows are made by SQLite out of those, with another number, message, id
 * and day, since making an event takes longer than storing it (6 against 12 µs of processor time an event); what follows
 * the rows is the node's own code for all of them.
 */
export async function fill(file: string, events: number): Promise<void> {
  const database = openForWriting(file, { sync: 'normal', onProgress: () => {} })
  database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF') // nobody needs half of it; the node sets its own
  const table = createHoneyTable(database)
  for (let from = 0; from < Math.min(WRITTEN, events); from += BATCH) {
    const length = Math.min(BATCH, events - from)
    table.append(batchOf(...Array.from({ length }, (_, index) => sweepEvent(from + index))))
  }
  const catchUp = createCatchUp(database)
  const settled = async () => {
    for (
      let more = true;
      more;
      await new Promise(setImmediate) // a signal is heard only between
    )
      for (let step = 0; more && step < STEPS_AT_ONCE; step++) more = catchUp.step(true)
  }
  await settled()
  const repeat = createRepetition(database)
  for (let from = WRITTEN; from < events; from += WRITTEN) {
    repeat(from / WRITTEN, Math.min(WRITTEN, events - from))
    await settled()
  }
  database.close()
}

/** The address that load.c asks for as number `index`. */
export function addressOf(index: number): string {
  return `198.18.${(index >> 8) & 255}.${index & 255}`
}

function sweepEvent(sequence: number): BadActorEvent {
  const at = new Date(FIRST_MS + sequence * EVERY_MS).toISOString()
  return eventOf({
    timestamp: `${at.slice(0, 10)} ${at.slice(11, 23)}000000`,
    sourceIp: addressOf(sequence % ADDRESSES),
    method: 'OPTIONS',
    calledNumber: numberOf(Math.floor(sequence / CALLS_IN_A_ROW)),
    sipMessage: probe(sequence).toString('latin1'),
  })
}

/** Appends the first `rows` rows once more, as of a later day and to the numbers that come next. */
function createRepetition(database: DatabaseSync): (times: number, rows: number) => void {
  database.exec('PRAGMA temp_store = MEMORY; CREATE TEMP TABLE first AS SELECT * FROM honey')
  const columns = database.prepare('PRAGMA table_info(honey)').all()
  const changed: Readonly<Record<string, string>> = {
    event_timestamp: ':day || substr(event_timestamp, 11)',
    event_uuid: 'substr(event_uuid, 1, 24) || substr(1000000000000 + CAST(honey_id + :after AS INTEGER), 2)',
    called_number: "'00' || (CAST(substr(called_number, 3) AS INTEGER) + CAST(:numbers AS INTEGER))",
    sip_message:
      "replace(sip_message, called_number, '00' || (CAST(substr(called_number, 3) AS INTEGER) + CAST(:numbers AS INTEGER)))",
  }
  const names = columns.map(({ name }) => String(name)).filter((name) => name !== 'honey_id')
  const insert = database.prepare(`INSERT INTO honey (${names}) SELECT ${names.map((name) => changed[name] ?? name)}
    FROM first WHERE honey_id <= :rows`)
  const numbersInOne = WRITTEN / CALLS_IN_A_ROW
  return (times, rows) =>
    void insert.run({
      day: new Date(FIRST_MS + times * DAY_MS).toISOString().slice(0, 10),
      after: times * WRITTEN,
      numbers: (times * numbersInOne) % NUMBERS,
      rows,
    })
}
