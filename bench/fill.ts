// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { BadActorEvent } from '../src/event/event.ts'
import { createCatchUp } from '../src/store/sqlite/catch-up.ts'
import { batchOf, eventOf } from '../src/store/sqlite/fixture.ts'
import { openForWriting } from '../src/store/sqlite/open.ts'
import { createHoneyTable } from '../src/store/sqlite/table.ts'
import { numberOf, probe } from './messages.ts'

export const ADDRESSES = 5_000
const BATCH = 2_000
const CALLS_IN_A_ROW = 10 // of a number, each from another address
const FIRST_MS = Date.UTC(2026, 0, 1)
const EVERY_MS = 10

/** A new database with so many events of 5,000 addresses that called 100,000 numbers, written as the node writes. */
export async function fill(file: string, events: number): Promise<void> {
  const database = openForWriting(file, { sync: 'normal', onProgress: () => {} })
  const table = createHoneyTable(database)
  const catchUp = createCatchUp(database)
  for (let from = 0; from < events; from += BATCH) {
    const length = Math.min(BATCH, events - from)
    table.append(batchOf(...Array.from({ length }, (_, index) => sweepEvent(from + index))))
    catchUp.owe(length)
    await new Promise(setImmediate) // ten million take minutes, and a signal is heard only between
  }
  while (catchUp.step(true)); // as on a node that has been quiet for a while
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
