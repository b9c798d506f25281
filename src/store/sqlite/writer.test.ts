// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { queryObjects } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { run } from '../../../test/run.ts'
import { unpack } from '../../event/packed.ts'
import { batchOf, eventOf, temporaryFolder } from './fixture.ts'
import { keepFirst, openForWriting } from './open.ts'
import { openSqliteReader } from './reader.ts'
import { openSqliteWriter } from './writer.ts'

/** Holds a lock for twice as long as a batch waits for one. */
const LOCKER = `
const { DatabaseSync } = require('node:sqlite')
const { parentPort, workerData } = require('node:worker_threads')
const database = new DatabaseSync(workerData)
database.exec('BEGIN IMMEDIATE')
parentPort.postMessage('locked')
setTimeout(() => database.exec('ROLLBACK'), 2_000)`

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

async function open(t: TestContext, file: string, firstValues: Record<string, string> = {}) {
  const writer = await openSqliteWriter({ file, sync: 'normal', firstValues }, () => {})
  let open = true
  const close = async () => {
    if (open) await writer.close()
    open = false
  }
  t.after(close)
  return { ...writer, close }
}

test('values of the first start that has them are kept in the file, the node id among them', async (t) => {
  const file = join(temporaryFolder(t), 'x.db')
  const first = await open(t, file, { colour: 'red' })
  assert.equal(first.kept.get('colour'), 'red')
  assert.match(first.nodeId, UUID)
  await first.close()

  const second = await open(t, file, { colour: 'blue', shape: 'round' })
  assert.deepEqual([second.kept.get('colour'), second.kept.get('shape'), second.nodeId], ['red', 'round', first.nodeId])
  await second.close()

  const third = await open(t, file)
  assert.deepEqual([...third.kept], [['node_id', first.nodeId]])
})

test('a lock that is held for longer than a batch would wait holds up the start, and does not end it', async (t) => {
  const file = join(temporaryFolder(t), 'x.db')
  const database = openForWriting(file, { sync: 'normal', onProgress: () => {} })
  t.after(() => database.close())
  const locker = new Worker(LOCKER, { eval: true, workerData: file })
  const ended = once(locker, 'exit')
  await once(locker, 'message')
  assert.deepEqual([...keepFirst(database, { colour: 'red' })], [['colour', 'red']])
  assert.equal(database.prepare('PRAGMA busy_timeout').get()?.['timeout'], 1_000, 'batches wait for a second again')
  await ended
})

test('a start that fails behind the opening leaves no thread behind', async (t) => {
  const folder = temporaryFolder(t)
  const database = openForWriting(join(folder, 'x.db'), { sync: 'normal', onProgress: () => {} })
  database.exec("CREATE TRIGGER fail BEFORE INSERT ON sentrypeer BEGIN SELECT raise(ABORT, 'boom'); END")
  database.close()
  const script = `import(${JSON.stringify(import.meta.resolve('./writer.ts'))})
    .then(({ openSqliteWriter }) => openSqliteWriter({ file: 'x.db', sync: 'normal', firstValues: {} }, () => {}))
    .catch(({ code }) => console.log(code))`
  const ended = await run([process.execPath, '-e', script], { cwd: folder, withinMs: 20_000 })
  assert.deepEqual([ended.code, ended.stdout], [0, 'DB_NOT_WRITABLE\n'], ended.stderr)
})

test('a close waits for the thread no longer than it may, and a writer in a hurry gives up a lock soon', async (t) => {
  const file = join(temporaryFolder(t), 'x.db')
  const told: string[] = []
  const writer = await openSqliteWriter({ file, sync: 'normal', firstValues: {} }, (text) => told.push(text))
  const locker = new DatabaseSync(file, { timeout: 5_000 })
  t.after(() => locker.close())
  locker.exec('BEGIN IMMEDIATE')
  const ms = async (work: Promise<unknown>) => {
    const startMs = performance.now()
    await work
    return performance.now() - startMs
  }
  const refusedMs = await ms(assert.rejects(writer.append(batchOf(eventOf())), /locked/))
  writer.hurry()
  const hurriedMs = await ms(assert.rejects(writer.append(batchOf(eventOf())), /locked/))
  assert.ok(refusedMs >= 1_000 && hurriedMs < refusedMs, `${refusedMs} and ${hurriedMs} ms`)
  await writer.close(0)
  assert.deepEqual(told, [`${file} could not be tidied up in time`])
  locker.exec('ROLLBACK')
})

test('each of several requests at once has its own answer, and one after the close has none', {
  timeout: 20_000,
}, async (t) => {
  const file = join(temporaryFolder(t), 'x.db')
  const writer = await openSqliteWriter({ file, sync: 'normal', firstValues: {} }, () => {})
  const asked = [
    writer.append(batchOf(eventOf(), eventOf())),
    writer.append(batchOf(eventOf())),
    writer.amend([{ honeyId: 3, retransmissions: 5 }]),
    writer.ping(),
    writer.close(),
  ]
  assert.deepEqual(await Promise.all(asked), [1, 3, undefined, undefined, undefined])
  assert.equal(existsSync(`${file}-wal`), false, 'it is closed when that is said')
  for (const late of [writer.append(batchOf(eventOf())), writer.amend([]), writer.ping(), writer.purge('2000')])
    await assert.rejects(late, /the database is closed/)
})

test('a commit and a ping leave no promise behind, however long the thread lives', async (t) => {
  const writer = await open(t, join(temporaryFolder(t), 'x.db'))
  const before = queryObjects(Promise, { format: 'count' })
  for (let times = 0; times < 200; times++) {
    await writer.append(batchOf(eventOf()))
    await writer.ping()
  }
  const left = queryObjects(Promise, { format: 'count' }) - before
  assert.ok(left < 100, `${left} promises are left of 400 requests`)
})

test('the thread answers a ping at any time, also while the database is locked, and stores nothing for it', async (t) => {
  const file = join(temporaryFolder(t), 'x.db')
  const writer = await open(t, file)
  await Promise.all([writer.ping(), writer.ping(), writer.append(batchOf(eventOf())), writer.ping()])
  const locker = new DatabaseSync(file, { timeout: 5_000 }) // the views may be catching up just now
  locker.exec('BEGIN IMMEDIATE')
  const refused = assert.rejects(writer.append(batchOf(eventOf())), /locked/)
  await writer.ping()
  await refused
  await writer.ping()
  assert.equal(locker.prepare('SELECT count(*) AS rows FROM honey').get()?.['rows'], 1)
  locker.exec('ROLLBACK')
  locker.close()
})

test('the thread tells the first row of a batch, adds retransmissions, and tells why it refuses to', async (t) => {
  const file = join(temporaryFolder(t), 'x.db')
  const writer = await open(t, file)
  assert.equal(await writer.append(batchOf(eventOf(), eventOf())), 1)
  assert.equal(await writer.append(batchOf(eventOf())), 3)
  const locker = new DatabaseSync(file, { timeout: 5_000 }) // the views may be catching up just now
  locker.exec('BEGIN IMMEDIATE')
  await assert.rejects(writer.amend([{ honeyId: 2, retransmissions: 5 }]), /locked/)
  locker.exec('ROLLBACK')
  locker.close()
  await writer.amend([{ honeyId: 2, retransmissions: 5 }])
  renameSync(file, `${file}.moved`)
  await assert.rejects(writer.amend([{ honeyId: 2, retransmissions: 5 }]), /put it back, or restart/)
  renameSync(`${file}.moved`, file)
  const reader = openSqliteReader(file)
  t.after(() => reader.close())
  assert.deepEqual(
    reader.events({ limit: 9 }).events.map(({ retransmissions }) => retransmissions),
    [0, 5, 0],
  )
})

test('a batch that is refused has its bytes again, and the next try stores exactly them', async (t) => {
  const file = join(temporaryFolder(t), 'x.db')
  const writer = await open(t, file)
  const locker = new DatabaseSync(file)
  locker.exec('BEGIN IMMEDIATE')
  const events = [eventOf({ sipMessage: 'ASCII' }), eventOf({ sipMessage: 'Grüße \uef80' })]
  const batch = batchOf(...events)
  const bytes = Buffer.from(batch.slab.slice(0))
  const refused = writer.append(batch)
  assert.ok(batch.slab.detached, 'it is moved and not copied')
  await assert.rejects(refused, /locked/)
  assert.deepEqual(Buffer.from(batch.slab), bytes)
  locker.exec('ROLLBACK')
  locker.close()
  assert.equal(await writer.append(batch), 1)
  assert.deepEqual(unpack(batch), events)
  const reader = openSqliteReader(file)
  t.after(() => reader.close())
  assert.deepEqual(
    reader.events({ limit: 9 }).events.map(({ sipMessage }) => sipMessage),
    ['Grüße \uef80', 'ASCII'],
  )
})
