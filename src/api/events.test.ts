// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BadActorEvent, NOT_FOUND } from '../event/event.ts'
import { eventJson } from '../event/json.ts'
import type { IpAddress } from '../net/ip.ts'
import { startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'

interface Body {
  readonly events: readonly Record<string, string>[]
  readonly next_cursor: string | null
}

const idsOf = (body: Body) => body.events.map(({ event_uuid: uuid }) => Number(uuid?.slice(-12)))

test('an event looks as it does in the JSON log, and tells how often its message arrived again', async (t) => {
  const event: BadActorEvent = {
    origin: 'observed',
    eventUuid: '019b0000-0000-7000-8000-000000000001',
    timestamp: '2026-01-01 00:00:00.000000000',
    collectedMethod: 'passive',
    transport: 'TLS',
    sourceIp: '8.8.8.8' as IpAddress,
    sourcePort: 1024,
    destinationIp: '2a00::1' as IpAddress,
    destinationPort: 5061,
    method: null,
    calledNumber: null,
    requestUser: null,
    userAgent: null,
    sipMessage: '\u0000\ud800 "',
    createdByNodeId: 'b0ebb95c-07a8-4bda-a5d4-4e0a4b0a1a3c',
    proof: 'handshake',
    proofBy: 'tls',
    credentials: { user: '100', realm: 'r', nonce: 'n', response: '0f', algorithm: 'MD5', password: null },
    fault: null,
    fingerprint: 's1.vtf',
    tool: 'sipsak',
  }
  const { method: _method, ...row } = event
  const reader = createFixtureReader({
    ...row,
    method: NOT_FOUND,
    calledNumber: NOT_FOUND,
    userAgent: NOT_FOUND,
    retransmissions: 3,
  })
  const api = await startFixtureApi(t, reader)
  const {
    app_name: _name,
    app_version: _version,
    ...logged
  } = JSON.parse(eventJson(event, { name: '', version: '' }, 'seed'))
  assert.deepEqual(((await api.json('/events')) as Body).events, [{ ...logged, retransmissions: '3' }])
})

test('what a row of another program lacks is empty', async (t) => {
  const reader = createFixtureReader({ sourcePort: null, destinationIp: null, destinationPort: null })
  const api = await startFixtureApi(t, reader)
  const { source_port, destination_ip, destination_port } = ((await api.json('/events')) as Body).events[0] ?? {}
  assert.deepEqual([source_port, destination_ip, destination_port], ['', '', ''])
})

const EVENTS = [
  {
    sourceIp: '8.8.8.8',
    calledNumber: '100',
    method: 'INVITE',
    timestamp: '2026-01-01 00:00:00.000000000',
    credentials: { user: '', realm: '', nonce: '', response: '', algorithm: '', password: null },
  },
  {
    sourceIp: '8.8.8.8',
    calledNumber: '+100',
    method: 'OPTIONS',
    timestamp: '2026-01-02 00:00:00.000000000',
    proof: 'echo',
  },
  {
    sourceIp: '2a00::1',
    calledNumber: '100',
    method: 'INVITE',
    timestamp: '2026-01-03 00:00:00.000000000',
    proof: 'handshake',
  },
]

for (const [query, ids, why] of [
  ['', [3, 2, 1], 'are newest first'],
  ['ip=8.8.8.8', [2, 1], 'of an address'],
  ['ip=2A00:0::1', [3], 'of an address in any spelling'],
  ['number=100', [3, 1], 'of a number exactly as dialled'],
  ['number=%2B100', [2], 'of a number with a plus sign'],
  ['number=+100', [2], 'of a number with a bare plus sign'],
  ['method=INVITE', [3, 1], 'of a method'],
  ['since=2026-01-02', [3, 2], 'since a time'],
  ['min_proof=echo', [3, 2], 'of a source that proved itself'],
  ['min_proof=handshake', [3], 'of a source that proved itself by a handshake'],
  ['min_proof=none', [3, 2, 1], 'proven or not'],
  ['credentials=true', [1], 'with credentials'],
  ['credentials=false', [3, 2, 1], 'with or without credentials'],
  ['credentials=true&min_proof=echo', [], 'with credentials of a source that proved itself'],
  ['ip=8.8.8.8&number=100&method=INVITE', [1], 'that fit all filters'],
  ['method=__proto__', [], 'of a method that nobody used'],
  ['limit=2', [3, 2], 'at most so many'],
] as const) {
  test(`/events?${query} gives the events ${why}`, async (t) => {
    const api = await startFixtureApi(t, createFixtureReader(...EVENTS))
    assert.deepEqual(idsOf((await api.json(`/events?${query}`)) as Body), ids)
  })
}

for (const query of [
  'limit=1001',
  'ip=8.8.8',
  'ip=',
  'cursor=abc',
  'cursor=WyJ4Il0',
  'before=1',
  'min_proof=some',
  'credentials=',
  'credentials=yes',
  'number=',
  `number=${'1'.repeat(300)}`,
]) {
  test(`/events?${query} is answered 400`, async (t) => {
    const api = await startFixtureApi(t, createFixtureReader(...EVENTS))
    assert.equal((await api.get(`/events?${query}`)).status, 400)
  })
}

for (const [limit, bytes, why] of [
  [30, 10, 'as long as asked for'],
  [100, 100_000, 'ended by the size of the messages'],
] as const) {
  test(`pages ${why} have every event once`, async (t) => {
    const reader = createFixtureReader(...Array.from({ length: 100 }, () => ({ sipMessage: 'x'.repeat(bytes) })))
    const api = await startFixtureApi(t, reader)
    const ids: number[] = []
    let pages = 0
    let path: string | null = `/events?limit=${limit}`
    while (path !== null) {
      const answer: Response = await api.get(path)
      const body = (await answer.json()) as Body
      ids.push(...idsOf(body))
      pages++
      assert.ok(JSON.stringify(body).length < 8 * 1024 * 1024)
      const link: string | undefined = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1]
      assert.equal(link === undefined, body.next_cursor === null)
      path = link ?? null
    }
    assert.deepEqual(
      ids,
      Array.from({ length: 100 }, (_, index) => 100 - index),
    )
    assert.ok(pages > 1)
  })
}

test('a search that finds nothing for long ends its page early and says where to go on', async (t) => {
  const reader = createFixtureReader({})
  let questions = 0
  const patient = { ...reader, events: () => ({ events: [], nextBefore: 1_000_000 - questions++ }) }
  const api = await startFixtureApi(t, patient)
  const body = (await api.json('/events?method=NOBODY')) as Body
  assert.deepEqual(body.events, [])
  assert.notEqual(body.next_cursor, null)
  assert.ok(questions <= 50)
})
