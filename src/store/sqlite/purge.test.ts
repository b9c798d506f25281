// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import type { IpAddress } from '../../net/ip.ts'
import type { CatchUp } from './catch-up.ts'
import { CATCH_UP_SIZES } from './catch-up.ts'
import { add, allEvents, batchOf, eventOf, settle, temporaryFolder, temporaryStore } from './fixture.ts'
import { checkAll, rowsIn } from './fixture-truth.ts'
import { createPurge, type Purged } from './purge.ts'
import { openSqliteReader } from './reader.ts'
import { openSqliteWriter } from './writer.ts'

const day = (number: number) => `2026-11-${String(number).padStart(2, '0')} 01:02:03.000000000`

function purgeAll(database: DatabaseSync, catchUp: CatchUp, before: string): Purged {
  const purge = createPurge(database, catchUp.runs)
  purge.begin(before)
  for (let slices = 0; slices < 10_000; slices++) {
    const message = purge.slice()
    if (message?.kind === 'purged') return message.purged
  }
  return assert.fail('it does not end')
}

/** An event a day for each of two addresses, from the first to the tenth; one of them stops after the fifth. */
function tenDays(t: TestContext) {
  const store = temporaryStore(t)
  for (let number = 1; number <= 10; number++) {
    add(store.table, eventOf({ sourceIp: '198.51.100.1', calledNumber: '1', timestamp: day(number) }))
    if (number > 5) continue
    add(store.table, eventOf({ sourceIp: '198.51.100.2', calledNumber: '2', timestamp: day(number) }))
  }
  return store
}

test('a purge deletes events before a time, who was last seen before it, and nothing else', (t) => {
  const { database, catchUp, reader } = tenDays(t)
  settle(catchUp)
  assert.deepEqual(purgeAll(database, catchUp, '2026-11-06'), { events: 10, badActors: 1, calledNumbers: 1 })
  assert.deepEqual(
    reader.events({ limit: 100 }).events.map(({ timestamp }) => timestamp),
    [10, 9, 8, 7, 6].map(day),
  )
  assert.deepEqual(reader.totals(), { badActors: 1, calledNumbers: 1 })
  const actor = reader.badActor('198.51.100.1' as IpAddress)
  assert.deepEqual([actor?.seenCount, actor?.seenFirst], [10, day(1)], 'who stays keeps all counts')
  assert.equal(reader.badActor('198.51.100.2' as IpAddress), null)
  assert.deepEqual(purgeAll(database, catchUp, '2026-11-06'), { events: 0, badActors: 0, calledNumbers: 0 })
})

test('a purge leaves rows that no view has yet, and takes them when the views have', (t) => {
  const { database, catchUp, reader } = tenDays(t)
  assert.deepEqual(purgeAll(database, catchUp, '2027'), { events: 0, badActors: 0, calledNumbers: 0 })
  assert.equal(reader.totals().badActors, 2)
  settle(catchUp)
  assert.deepEqual(purgeAll(database, catchUp, '2027'), { events: 14, badActors: 2, calledNumbers: 2 })
  assert.deepEqual(reader.totals(), { badActors: 0, calledNumbers: 0 })
  assert.equal(reader.events({ limit: 9 }).events.length, 1)
})

test('a purge of everything leaves the newest event until there is a newer one, so that others never get ids again', (t) => {
  const { file, database, table, catchUp, reader } = tenDays(t)
  const others = database.prepare('INSERT INTO honey (source_ip, called_number, event_timestamp) VALUES (?,?,?)')
  const insert = (number: number) => {
    others.run('203.0.113.5', '5', day(number))
    settle(catchUp)
    return rowsIn(file).map(({ id }) => id)
  }
  settle(catchUp)
  purgeAll(database, catchUp, '2027')
  assert.deepEqual(insert(11), [15, 16])
  assert.equal(reader.badActor('203.0.113.5' as IpAddress)?.seenCount, 1)
  assert.equal(allEvents(reader, { ip: '203.0.113.5' as IpAddress }).length, 1)
  purgeAll(database, catchUp, '2027')
  assert.deepEqual(insert(12), [16, 17])
  assert.equal(add(table, eventOf({ timestamp: day(13) })), 18)
  settle(catchUp)
  assert.equal(purgeAll(database, catchUp, day(13)).events, 2)
  assert.deepEqual(
    rowsIn(file).map(({ id }) => id),
    [18],
  )
})

test('who is known only by rows without a time is known as long as these are kept', (t) => {
  const { database, catchUp, reader } = tenDays(t)
  const insert = database.prepare(
    'INSERT INTO honey (event_timestamp, source_ip, called_number, created_at) VALUES (?,?,?,?)',
  )
  for (const time of [null, '']) insert.run(time, '203.0.113.5', '5', day(9))
  const times = () => {
    const actor = reader.badActor('203.0.113.5' as IpAddress)
    return [actor?.seenFirst, actor?.seenLast, reader.calledNumber('5')?.seenLast]
  }
  assert.deepEqual(times(), [day(9), day(9), day(9)], 'by the rows that no view has')
  settle(catchUp)
  assert.deepEqual(times(), [day(9), day(9), day(9)], 'by the views')
  assert.equal(purgeAll(database, catchUp, day(8)).badActors, 1)
  assert.deepEqual(times(), [day(9), day(9), day(9)])
  assert.deepEqual(
    reader.events({ ip: '203.0.113.5' as IpAddress, since: day(9), limit: 9 }).events.map(({ timestamp }) => timestamp),
    [day(9), day(9)],
  )
})

test('rows that another program inserted out of order, or without a time, are purged by the times they have', (t) => {
  const { database, catchUp, reader } = tenDays(t)
  const insert = database.prepare(
    'INSERT INTO honey (event_uuid, event_timestamp, source_ip, created_at) VALUES (?,?,?,?)',
  )
  insert.run('old', '2020-01-01 00:00:00.1', '203.0.113.5', day(10))
  insert.run('no time, old', null, '203.0.113.5', '2020-01-01 00:00:00')
  insert.run('no time, new', null, '203.0.113.5', day(10))
  settle(catchUp)
  assert.equal(purgeAll(database, catchUp, '2026-11-02').events, 4)
  assert.deepEqual(allEvents(reader, { ip: '203.0.113.5' as IpAddress }), ['no time, new'])
})

test('runs that are all purged are gone, and what is left of others is passed over at once', (t) => {
  const { file, database, table, catchUp, reader } = temporaryStore(t)
  for (let batch = 0; batch < 3; batch++) {
    add(table, ...Array.from({ length: 2_100 }, () => eventOf({ timestamp: day(batch + 1) })))
    settle(catchUp)
  }
  add(table, eventOf({ timestamp: day(4) }))
  settle(catchUp)
  const count = (what: string) => Number(database.prepare(`SELECT count(*) AS found FROM ${what}`).get()?.['found'])
  assert.equal(count('runs'), 6)
  assert.equal(purgeAll(database, catchUp, '2026-11-03').events, 4_200)
  settle(catchUp)
  assert.equal(count('runs'), 2)
  assert.equal(purgeAll(database, catchUp, '2026-11-04').events, 2_100)
  assert.deepEqual(reader.events({ ip: '198.51.100.7' as IpAddress, limit: 9 }).nextBefore, null)
  checkAll(reader, [...rowsOfDays([1, 2, 3], 2_100), ...rowsIn(file)], rowsIn(file))
})

function rowsOfDays(days: readonly number[], each: number) {
  return days.flatMap((number) =>
    Array.from({ length: each }, () => {
      return {
        id: 0,
        uuid: null,
        timestamp: day(number),
        source: '198.51.100.7',
        numbers: ['00046500729221'],
        proof: 'none',
      }
    }),
  )
}

test('a slice that fails is done again, and what it says is gone is gone', (t) => {
  const { database, catchUp } = tenDays(t)
  settle(catchUp)
  const purge = createPurge(database, catchUp.runs)
  purge.begin('2026-11-06')
  database.exec("CREATE TEMP TRIGGER fail BEFORE DELETE ON called_numbers BEGIN SELECT raise(ABORT, 'boom'); END")
  assert.throws(() => {
    while (purge.slice() !== null);
  }, /boom/)
  assert.throws(() => {
    while (purge.slice() !== null);
  }, /boom/)
  database.exec('DROP TRIGGER fail')
  let last = purge.slice()
  while (last?.kind === 'purging') last = purge.slice()
  assert.deepEqual(last, { kind: 'purged', purged: { events: 10, badActors: 1, calledNumbers: 1 } })
  assert.equal(purge.slice(), null)
})

test('the writer purges between batches, which it goes on to store, and says how far it is', async (t) => {
  const file = join(temporaryFolder(t), 'x.db')
  const writer = await openSqliteWriter({ file, sync: 'normal', firstValues: {} }, () => {})
  t.after(() => (isClosed ? undefined : writer.close()))
  let isClosed = false
  const old = Array.from({ length: 2_000 }, () => eventOf({ timestamp: day(1) }))
  for (let batch = 0; batch < 5; batch++) await writer.append(batchOf(...old))
  const reader = openSqliteReader(file)
  t.after(() => reader.close())
  while (!areFolded(file)) await writer.ping()

  const seen: Purged[] = []
  const purging = writer.purge('2026-11-02', (purged) => seen.push(purged))
  await assert.rejects(writer.purge('2026-11-02'), /another purge/)
  let stored = 0
  let isDone = false
  void purging.then(() => {
    isDone = true
  })
  for (; !isDone; stored++)
    await writer.append(batchOf(eventOf({ sourceIp: '198.51.100.9', calledNumber: '9', timestamp: day(3) })))
  assert.deepEqual(await purging, { events: 10_000, badActors: 1, calledNumbers: 1 })
  assert.ok(seen.length >= 5 && stored >= 3, `${seen.length} reports, ${stored} batches meanwhile`)
  assert.equal(reader.badActor('198.51.100.9' as IpAddress)?.seenCount, stored)
  assert.equal(reader.badActor('198.51.100.7' as IpAddress), null)

  const cut = writer.purge('2027')
  const rejected = assert.rejects(cut, /closed before all was purged/)
  isClosed = true
  await writer.close()
  await rejected
})

function areFolded(file: string): boolean {
  const database = new DatabaseSync(file, { readOnly: true })
  const found = database
    .prepare("SELECT min(from_id) AS id FROM views WHERE part = 'newest' AND view <> 'events'")
    .get()
  database.close()
  return Number(found?.['id']) >= 10_000
}

test('a thorough purge looks behind events whose time is wrong, and another one does not', (t) => {
  const { database, table, catchUp } = temporaryStore(t)
  add(table, ...Array.from({ length: 2_000 }, () => eventOf({ timestamp: '2030-01-01 00:00:00.0' })))
  add(table, eventOf({ timestamp: day(1) }), eventOf({ timestamp: day(9) }))
  settle(catchUp)
  const events = (isThorough: boolean) => {
    const purge = createPurge(database, catchUp.runs)
    purge.begin('2026-11-05', isThorough)
    for (let now = purge.slice(); ; now = purge.slice()) if (now?.kind === 'purged') return now.purged.events
  }
  assert.deepEqual([events(false), events(true)], [0, 1])
})

test('what waits to be counted in the background is not purged before it is', (t) => {
  const { file, database, table, catchUp, reader } = temporaryStore(t, { ...CATCH_UP_SIZES, mostTailRows: 20 })
  add(table, ...Array.from({ length: 100 }, () => eventOf({ timestamp: day(1) })))
  catchUp.leaveForLater()
  assert.equal(reader.totals().badActors, 0)
  assert.equal(purgeAll(database, catchUp, '2026-11-05').events, 0)
  settle(catchUp)
  assert.equal(purgeAll(database, catchUp, '2026-11-05').events, 99)
  assert.deepEqual(reader.totals(), { badActors: 0, calledNumbers: 0 })
  assert.equal(rowsIn(file).length, 1)
})
