// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EventReader } from '../store.ts'
import { add, eventOf, settle, temporaryStore } from './fixture.ts'

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
  const { database, table, reader, catchUp } = temporaryStore(t)
  database.exec(FOREIGN)
  const first = add(table, eventOf(), eventOf())
  database.exec(FOREIGN)
  const second = add(table, eventOf())
  table.amend([
    { honeyId: first, retransmissions: 3 },
    { honeyId: second, retransmissions: 1 },
  ])
  table.amend([{ honeyId: first, retransmissions: 2 }])
  settle(catchUp)
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

test('every text of a row is TEXT in UTF-8, whatever is in it, and what is not there is NULL or NOT_FOUND', (t) => {
  const { database, table } = temporaryStore(t)
  const hostile = 'é \uef80 😀 \0 \ud800'
  const credentials = { user: 'u', realm: '', nonce: 'é', response: 'r', algorithm: 'a', password: null }
  add(table, eventOf({ sipMessage: hostile, userAgent: hostile, calledNumber: '', credentials }))
  add(table, eventOf({ userAgent: null, calledNumber: null, method: null }))
  const row = (id: number) => ({ ...database.prepare('SELECT * FROM honey WHERE honey_id = ?').get(id) })
  const { sip_message: message, user_agent: agent, called_number: number, ...first } = row(1)
  assert.deepEqual([message, agent, number], [hostile.toWellFormed(), hostile.toWellFormed(), ''])
  const { auth_user: user, auth_realm: realm, auth_nonce: nonce, auth_password: password } = first
  assert.deepEqual([user, realm, nonce, password], ['u', '', 'é', null])
  const second = row(2)
  assert.deepEqual(
    ['user_agent', 'called_number', 'method', 'auth_user', 'request_user', 'fault', 'proof_by'].map(
      (name) => second[name],
    ),
    ['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND', null, null, null, null],
  )
  const types = database
    .prepare('SELECT DISTINCT typeof(sip_message) AS type, hex(sip_message) AS hex FROM honey')
    .all()
  assert.deepEqual(
    types.map(({ type }) => type),
    ['text', 'text'],
  )
  assert.equal(types[0]?.['hex'], Buffer.from(hostile).toString('hex').toUpperCase())
})

test('created_at is the time of the commit, as the column would have it', (t) => {
  const { database, table } = temporaryStore(t)
  add(table, eventOf())
  database.exec(FOREIGN)
  const [ours, theirs] = database.prepare('SELECT created_at AS at FROM honey ORDER BY honey_id').all()
  assert.match(String(ours?.['at']), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/)
  const apartMs = Date.parse(`${theirs?.['at']}Z`) - Date.parse(`${ours?.['at']}Z`)
  assert.ok(apartMs >= 0 && apartMs < 60_000, `${apartMs} ms`)
})

const CREDENTIALS = { user: '100', realm: 'pbx', nonce: 'n', response: 'r', algorithm: 'MD5', password: null }
const NOTHING_SHOWN = { proof: 'none', origin: 'observed', proof_by: null, auth_user: null, auth_realm: null }

for (const [what, changes, expected] of [
  ['nothing of what a passive node never sees', {}, {}],
  ['a proof', { proof: 'echo', proofBy: 'nonce' }, { proof: 'echo', proof_by: 'nonce' }],
  ['how a proof was shown', { proofBy: 'tcp' }, { proof_by: 'tcp' }],
  ['credentials', { credentials: CREDENTIALS }, { auth_user: '100', auth_realm: 'pbx' }],
] as const) {
  test(`a row of an event with ${what} says that and no more, next to one that has all of it`, (t) => {
    const { database, table } = temporaryStore(t)
    const all = eventOf({ proof: 'handshake', proofBy: 'contact', credentials: CREDENTIALS })
    const second = add(table, all, eventOf(changes), all) + 1
    const columns = Object.keys(NOTHING_SHOWN).join(', ')
    const row = database.prepare(`SELECT ${columns} FROM honey WHERE honey_id = ?`).get(second)
    assert.deepEqual({ ...row }, { ...NOTHING_SHOWN, ...expected })
  })
}
