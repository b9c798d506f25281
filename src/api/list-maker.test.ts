// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { createBogonCheck } from '../net/ip.ts'
import { decodeCursor } from './cursor.ts'
import { createFixtureReader } from './fixture-reader.ts'
import { type FromMaker, type ListJob, WINDOW_PIECES } from './list-job.ts'
import { createListMaker } from './list-maker.ts'

const WHOLE: ListJob = { kind: 'whole', name: 'called_numbers', query: { order: 'newest' }, withCursor: false }

function fixture(numbers: number) {
  const reader = createFixtureReader(...Array.from({ length: numbers }, (_, n) => ({ calledNumber: String(n) })))
  const told: FromMaker[] = []
  const maker = createListMaker(reader, createBogonCheck(), (message) => void told.push(message))
  const text = () => Buffer.concat(told.flatMap((message) => ('piece' in message ? [message.piece] : []))).toString()
  return { reader, told, text, ...maker }
}

async function rounds(count: number): Promise<void> {
  for (let round = 0; round < count; round++) await setImmediate()
}

test('a list stops when its credits are used up, goes on with each one given, and comes whole', async () => {
  const { told, receive, text, reader } = fixture(5_000)
  receive({ kind: 'begin', id: 7, job: WHOLE, gzip: false })
  await rounds(50)
  assert.equal(told.length, WINDOW_PIECES)
  receive({ kind: 'more', id: 7 })
  await rounds(50)
  assert.equal(told.length, WINDOW_PIECES + 1)
  for (let more = 0; more < 20; more++) {
    receive({ kind: 'more', id: 7 })
    await rounds(5)
  }
  assert.equal(told.at(-1)?.kind, 'done')
  assert.equal(JSON.parse(text()).called_numbers.length, 5_000)
  assert.equal(reader.openSnapshots(), 0)
})

test('a list that nobody wants any more lets go of the store, wherever it is at', async () => {
  for (const roundsBefore of [0, 1, 2, 50]) {
    const { told, receive, reader } = fixture(5_000)
    receive({ kind: 'begin', id: 1, job: WHOLE, gzip: false })
    await rounds(roundsBefore)
    receive({ kind: 'end', id: 1 })
    const before = told.length
    await rounds(50)
    assert.equal(reader.openSnapshots(), 0)
    assert.ok(told.length <= before)
  }
})

test('pages are put together one after the other, and all of them come', async (t) => {
  const { told, receive } = fixture(2_000)
  for (const id of [1, 2, 3]) {
    receive({ kind: 'begin', id, job: { ...WHOLE, kind: 'page', limit: 100 }, gzip: false })
  }
  await t.waitFor(() => assert.equal(told.length, 3))
  assert.deepEqual(
    told.map(({ kind, id }) => `${kind} ${id}`),
    ['begun 1', 'begun 2', 'begun 3'],
  )
})

test('a page that nobody takes holds no view of the database, and comes whole in the end', async () => {
  const { told, text, receive, reader } = fixture(5_000)
  receive({ kind: 'begin', id: 1, job: { ...WHOLE, kind: 'page', limit: 4_000 }, gzip: false })
  await rounds(100)
  assert.equal(told.length, WINDOW_PIECES)
  assert.equal(reader.openSnapshots(), 0)
  for (let more = 0; more < 20; more++) {
    receive({ kind: 'more', id: 1 })
    await rounds(5)
  }
  assert.equal(JSON.parse(text()).called_numbers.length, 4_000)
})

test('a page that nobody wants any more does not hold up the next one', async (t) => {
  const { told, receive } = fixture(2_000)
  receive({ kind: 'begin', id: 1, job: { ...WHOLE, kind: 'page', limit: 2_000 }, gzip: false })
  receive({ kind: 'begin', id: 2, job: { ...WHOLE, kind: 'page', limit: 1 }, gzip: false })
  await rounds(2)
  receive({ kind: 'end', id: 1 })
  await t.waitFor(() => assert.equal(told.at(-1)?.id, 2))
})

test('a store that breaks fails the list, and only that one', async (t) => {
  const { told, receive, reader } = fixture(10)
  reader.breakRows()
  receive({ kind: 'begin', id: 1, job: WHOLE, gzip: false })
  receive({ kind: 'begin', id: 2, job: { kind: 'events', query: { limit: 5 } }, gzip: false })
  await t.waitFor(() => assert.equal(told.length, 2))
  assert.deepEqual(
    told.find(({ id }) => id === 1),
    { kind: 'failed', id: 1, reason: 'disk I/O error' },
  )
  assert.equal(told.find(({ id }) => id === 2)?.kind, 'begun')
  assert.equal(reader.openSnapshots(), 0)
})

test('pages that nobody takes hold up further ones before they take much memory, and no whole list', async (t) => {
  const sipMessage = '\u0001'.repeat(120_000) // six times as much in JSON
  const events = Array.from({ length: 60 }, () => ({ sipMessage }))
  const reader = createFixtureReader(...events)
  const told: FromMaker[] = []
  const maker = createListMaker(reader, createBogonCheck(), (message) => void told.push(message))
  const job: ListJob = { kind: 'events', query: { limit: 1_000 } }
  for (let id = 0; id < 20; id++) maker.receive({ kind: 'begin', id, job, gzip: false })
  maker.receive({ kind: 'begin', id: 99, job: WHOLE, gzip: false })
  const begun = () => new Set(told.filter(({ kind }) => kind === 'begun').map(({ id }) => id))
  await t.waitFor(() => assert.ok(begun().has(99) && begun().size >= 4, [...begun()].join()), { timeout: 20_000 })
  await rounds(500)
  assert.ok(begun().size <= 6, `${begun().size - 1} pages of 5 MB`)
  for (let id = 0; id < 19; id++) maker.receive({ kind: 'end', id })
  await t.waitFor(() => assert.ok(begun().has(19)), { timeout: 20_000 })
})

test('a page of long messages ends behind the one that made it long, and the next page goes on there', async (t) => {
  const reader = createFixtureReader(...Array.from({ length: 20 }, () => ({ sipMessage: '\u0001'.repeat(120_000) })))
  const ids: string[] = []
  let before: string | undefined
  for (let pages = 0; pages < 9 && before !== ''; pages++) {
    const told: FromMaker[] = []
    const maker = createListMaker(reader, createBogonCheck(), (message) => {
      told.push(message)
      if (message.kind === 'begun' || message.kind === 'piece') maker.receive({ kind: 'more', id: 1 })
    })
    const query = before === undefined ? { limit: 100 } : { limit: 100, before: Number(before) }
    maker.receive({ kind: 'begin', id: 1, job: { kind: 'events', query }, gzip: false })
    await t.waitFor(() => assert.equal(told.at(-1)?.kind, 'done'), { timeout: 20_000 })
    const text = Buffer.concat(told.flatMap((message) => ('piece' in message ? [message.piece] : []))).toString()
    assert.ok(text.length < 5_500_000, `${text.length} characters`)
    const body = JSON.parse(text)
    ids.push(...body.events.map((event: { event_uuid: string }) => event.event_uuid))
    before = body.next_cursor === null ? '' : (decodeCursor(body.next_cursor, 1)?.[0] ?? '')
  }
  assert.equal(new Set(ids).size, 20)
  assert.equal(ids.length, 20)
})
