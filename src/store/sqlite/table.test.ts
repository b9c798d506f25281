// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EventReader } from '../store.ts'
import { add, eventOf, temporaryStore } from './fixture.ts'

const FOREIGN = "INSERT INTO honey (event_timestamp, source_ip) VALUES ('2020-01-01 00:00:00.5', '203.0.113.5')"

function retransmissions(reader: EventReader): [honeyId: number, count: number][] {
  const { events } = reader.events({ limit: 100 })
  return events.map((event): [number, number] => [event.honeyId, event.retransmissions]).toReversed()
}

test('a batch gives the id of its first row, and the others follow it, whoever else inserts', (t) => {
  const { database, table, reader } = temporaryStore(t)
  const firstIds = [3, 1, 4].map((length) => {
    database.exec(FOREIGN)
    return add(table, ...Array.from({ length }, (_, index) => eventOf({ userAgent: `${length} ${index}` })))
  })
  assert.deepEqual(firstIds, [2, 6, 8])
  const agents = new Map(reader.events({ limit: 100 }).events.map((event) => [event.honeyId, event.userAgent]))
  assert.deepEqual(
    [2, 3, 4, 6, 8, 9, 10, 11].map((honeyId) => agents.get(honeyId)),
    ['3 0', '3 1', '3 2', '1 0', '4 0', '4 1', '4 2', '4 3'],
  )
})

test('retransmissions are added to the rows named, among rows of others, and count nobody again', (t) => {
  const { database, table, reader } = temporaryStore(t)
  database.exec(FOREIGN)
  const first = add(table, eventOf(), eventOf())
  database.exec(FOREIGN)
  const second = add(table, eventOf())
  table.amend([
    { honeyId: first, retransmissions: 3 },
    { honeyId: second, retransmissions: 1 },
  ])
  table.amend([{ honeyId: first, retransmissions: 2 }])
  while (table.countSlice());
  assert.deepEqual(retransmissions(reader), [
    [1, 0],
    [2, 5],
    [3, 0],
    [4, 0],
    [5, 1],
  ])
  assert.deepEqual(
    [...database.prepare('SELECT seen_count FROM bad_actors ORDER BY source_ip').all()].map((row) => row['seen_count']),
    [3, 2],
  )
})

test('retransmissions of a row that is gone are ignored, and those of the others kept', (t) => {
  const { database, table, reader } = temporaryStore(t)
  add(table, eventOf(), eventOf())
  database.exec('DELETE FROM honey WHERE honey_id = 1')
  table.amend([
    { honeyId: 1, retransmissions: 9 },
    { honeyId: 2, retransmissions: 1 },
  ])
  assert.deepEqual(retransmissions(reader), [[2, 1]])
})

test('retransmissions that fail halfway leave nothing behind', (t) => {
  const { database, table, reader } = temporaryStore(t)
  add(table, eventOf(), eventOf())
  database.exec(
    "CREATE TEMP TRIGGER fail BEFORE UPDATE ON honey WHEN new.honey_id = 2 BEGIN SELECT raise(ABORT, 'boom'); END",
  )
  const counts = [1, 2].map((honeyId) => ({ honeyId, retransmissions: 1 }))
  assert.throws(() => table.amend(counts), /boom/)
  assert.deepEqual(retransmissions(reader), [
    [1, 0],
    [2, 0],
  ])
})
