// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { type BadActorEvent, PROOF_LEVELS } from '../../event/event.ts'
import type { IpAddress } from '../../net/ip.ts'
import type { EventQuery, ListQuery } from '../store.ts'
import { add, allEvents, eventOf, settle, temporaryStore } from './fixture.ts'
import { rowsQuery } from './known.ts'
import { openSqliteReader } from './reader.ts'

const credentials = { user: '', realm: 'r', nonce: 'n', response: '0f', algorithm: 'MD5', password: '1234' }

const EVENTS = Array.from({ length: 60 }, (_, index) =>
  eventOf({
    sourceIp: `198.51.100.${index % 4}`,
    calledNumber: String(100 + (index % 5)),
    proof: index % 7 === 0 ? 'handshake' : index % 3 === 0 ? 'echo' : 'none',
    credentials: index % 2 === 0 ? credentials : null,
  }),
)

const hasCredentials = ({ credentials: found }: BadActorEvent) => found !== null
const isFrom = (event: BadActorEvent) => event.sourceIp === '198.51.100.2'

for (const [what, query, matches] of [
  ['with credentials', { withCredentials: true }, hasCredentials],
  ['with or without them', { withCredentials: false }, () => true],
  ['proven by echo or better', { minProof: 'echo' }, ({ proof }) => proof !== 'none'],
  ['proven by a handshake', { minProof: 'handshake' }, ({ proof }) => proof === 'handshake'],
  ['proven or not', { minProof: 'none' }, () => true],
  [
    'with credentials, proven',
    { withCredentials: true, minProof: 'echo' },
    (event) => hasCredentials(event) && event.proof !== 'none',
  ],
  [
    'with credentials, of an address',
    { withCredentials: true, ip: '198.51.100.2' as IpAddress },
    (event) => hasCredentials(event) && isFrom(event),
  ],
  [
    'with credentials, of a number',
    { withCredentials: true, number: '103' },
    (event) => hasCredentials(event) && event.calledNumber === '103',
  ],
] as readonly [string, Omit<EventQuery, 'limit'>, (event: BadActorEvent) => boolean][]) {
  test(`events ${what} come newest first, each once, page by page`, (t) => {
    const { table, reader } = temporaryStore(t)
    add(table, ...EVENTS)
    const expected = EVENTS.filter(matches).map(({ eventUuid }) => eventUuid)
    assert.deepEqual(allEvents(reader, query), expected.toReversed())
    assert.equal(reader.events({ ...query, limit: 7 }).events.length, Math.min(7, expected.length), 'a full page')
  })
}

test('the newest events with credentials are found at once, however many have none', (t) => {
  const { database, table, reader } = temporaryStore(t)
  add(table, eventOf({ credentials }), eventOf({ credentials }))
  for (let batch = 0; batch < 6; batch++) add(table, ...Array.from({ length: 100 }, () => eventOf()))
  const { events, nextBefore } = reader.events({ withCredentials: true, limit: 10 })
  assert.deepEqual(
    events.map(({ honeyId }) => honeyId),
    [2, 1],
  )
  assert.equal(nextBefore, null)
  const plan = database.prepare(
    'EXPLAIN QUERY PLAN SELECT honey_id FROM honey WHERE auth_user IS NOT NULL AND honey_id < ? ORDER BY honey_id DESC',
  )
  assert.match(String(plan.get(99)?.['detail']), /USING INDEX credentials_index/)
})

test('credentials come back as they were, those of a row without a user are none', (t) => {
  const { database, table, reader } = temporaryStore(t)
  add(table, eventOf({ credentials: { ...credentials, password: null } }))
  database.exec("INSERT INTO honey (source_ip, auth_realm) VALUES ('203.0.113.5', 'r')")
  database.exec("INSERT INTO honey (source_ip, auth_user, auth_password) VALUES ('203.0.113.5', '100', 'x')")
  assert.deepEqual(
    reader.events({ limit: 3 }).events.map((event) => event.credentials),
    [
      { user: '100', realm: '', nonce: '', response: '', algorithm: '', password: 'x' },
      null,
      { ...credentials, password: null },
    ],
  )
})

for (const [minProof, ends] of [
  ['none', [5, 4, 3, 2, 1, 0]],
  ['echo', [5, 4, 2, 1]],
  ['handshake', [5, 2]],
] as const) {
  test(`lists of what is proven by ${minProof} or better have that and no more, page by page`, (t) => {
    const { table, reader } = temporaryStore(t)
    for (const end of [0, 1, 2, 3, 4, 5]) {
      const proof = PROOF_LEVELS[end % 3] ?? 'none'
      add(
        table,
        eventOf({ sourceIp: `198.51.100.${end}`, calledNumber: `${end}`, proof, timestamp: `2026-11-2${end}` }),
      )
    }
    const snapshot = reader.snapshot()
    t.after(() => snapshot.close())
    const last = ends[1] // of the first page
    const after = (key: string) => ({ seenLast: `2026-11-2${last}`, key })
    const actors = [
      ...snapshot.badActors({ order: 'newest', minProof, limit: 2 }),
      ...snapshot.badActors({ order: 'newest', minProof, after: after(`198.51.100.${last}`) }),
    ]
    const numbers = [
      ...snapshot.calledNumbers({ order: 'newest', minProof, limit: 2 }),
      ...snapshot.calledNumbers({ order: 'newest', minProof, after: after(`${last}`) }),
    ]
    assert.deepEqual(
      actors.map(({ ipAddress }) => ipAddress),
      ends.map((end) => `198.51.100.${end}`),
    )
    assert.deepEqual(
      numbers.map(({ calledNumber }) => Number(calledNumber)),
      ends,
    )
  })
}

const AFTER = { seenLast: '2026-11-22', key: '1' }

for (const [which, query] of [
  ['all rows', { order: 'newest' }],
  ['rows since a time', { order: 'oldest', since: '2026-11-22' }],
  ['a further page', { order: 'newest', after: AFTER }],
  ['all proven rows', { order: 'newest', minProof: 'echo' }],
  ['proven rows since a time', { order: 'oldest', minProof: 'echo', since: '2026-11-22' }],
  ['a further page of proven rows', { order: 'newest', minProof: 'handshake', after: AFTER }],
] as readonly (readonly [string, ListQuery])[]) {
  for (const [kind, table] of [
    ['address', 'bad_actors'],
    ['number', 'called_numbers'],
  ] as const) {
    test(`${which} of ${table}: found without reading past others, and sorted second by second`, (t) => {
      const { database } = temporaryStore(t)
      const { sql, values } = rowsQuery(kind, query)
      const plan = database
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all(...values)
        .map((row) => String(row['detail']))
      const proven = query.minProof === undefined ? '' : 'proven_'
      assert.match(plan[0] ?? '', new RegExp(`USING INDEX ${proven}${table}_by_time`))
      if (which.includes('page') || which.includes('since')) assert.match(plan[0] ?? '', /\(<expr>[<>]/)
      assert.deepEqual(plan.slice(1), ['USE TEMP B-TREE FOR LAST 2 TERMS OF ORDER BY'])
    })
  }
}

test('a reader that was asked outlives its file: who asks next is told, and nobody else', async (t) => {
  const { file, table, reader } = temporaryStore(t)
  add(table, eventOf())
  assert.equal(reader.totals().badActors, 1)
  const damaged = new DatabaseSync(file)
  damaged.exec('DROP TABLE views')
  damaged.close()
  await new Promise((resolve) => setTimeout(resolve, 100)) // several times as long as it takes to look
  assert.throws(() => reader.badActor('198.51.100.7' as IpAddress), /no such table/)
  assert.throws(() => reader.badActor('198.51.100.7' as IpAddress), /no such table/)
})

test('a reader that is asked from outside answers a turn from one view, and the next one from what is there then', async (t) => {
  const { file, table, catchUp } = temporaryStore(t)
  const reader = openSqliteReader(file, { oneViewPerTurn: true })
  add(table, eventOf({ calledNumber: '1' }))
  assert.equal(reader.calledNumber('1')?.seenCount, 1)
  add(table, eventOf({ calledNumber: '1' }))
  assert.equal(reader.calledNumber('1')?.seenCount, 1)
  assert.equal(reader.calledNumberProfile('1', 5).examined, 1)
  for (let count = 2; count < 6; count++) {
    await setImmediate()
    assert.equal(reader.calledNumber('1')?.seenCount, count)
    assert.equal(reader.calledNumberProfile('1', 9).examined, count)
    if (count === 4) settle(catchUp)
    add(table, eventOf({ calledNumber: '1' }))
  }
  reader.calledNumber('1')
  reader.close()
  await setImmediate()
})
