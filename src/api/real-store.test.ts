// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { BadActorEvent } from '../event/event.ts'
import { batchOf, eventOf, temporaryFolder } from '../store/sqlite/fixture.ts'
import { openSqliteReader } from '../store/sqlite/reader.ts'
import { openSqliteWriter } from '../store/sqlite/writer.ts'
import { startFixtureApi } from './fixture-api.ts'

async function startOnDisk(t: TestContext) {
  const file = join(temporaryFolder(t), 'sentrypeer.db')
  const writer = await openSqliteWriter({ file, sync: 'normal', firstValues: {} }, () => {})
  t.after(() => writer.close())
  const reader = openSqliteReader(file)
  t.after(() => reader.close())
  const append = (events: readonly BadActorEvent[]) => writer.append(batchOf(...events))
  return { ...(await startFixtureApi(t, reader)), append, amend: writer.amend }
}

const CREDENTIALS = { user: '100', realm: 'r', nonce: 'n', response: '0f', algorithm: 'MD5', password: '1234' }

const second = (n: number) =>
  `2026-01-01 00:${String(Math.floor(n / 60)).padStart(2, '0')}:${String(n % 60).padStart(2, '0')}.000000000`

test('what is stored is listed, found, searched, counted and blocked', async (t) => {
  const { append, json, get } = await startOnDisk(t)
  await append([
    eventOf({ sourceIp: '8.8.8.8', calledNumber: '+46500', proof: 'echo', timestamp: second(1) }),
    eventOf({ sourceIp: '2a00::1', calledNumber: 'admin', proof: 'none', timestamp: second(2) }),
  ])
  const ips = (await json('/ip-addresses')) as { ip_addresses: { ip_address: string; proof: string }[] }
  assert.deepEqual(
    ips.ip_addresses.map(({ ip_address: ip, proof }) => [ip, proof]),
    [
      ['2a00::1', 'none'],
      ['8.8.8.8', 'echo'],
    ],
  )
  const number = (await json('/numbers/46500')) as Record<string, unknown>
  assert.equal(number['called_number'], '+46500')
  assert.equal(number['proof'], 'echo')
  assert.deepEqual(number['ip_addresses'], [{ ip_address: '8.8.8.8', seen_count: '1' }])
  assert.deepEqual(((await json('/numbers')) as { called_numbers_total: number }).called_numbers_total, 1)
  assert.equal((await get('/numbers?min_proof=echo')).status, 200)
  assert.equal((await get('/numbers?min_proof=handshake')).status, 404)
  assert.equal(((await json('/events?ip=2A00::1')) as { events: unknown[] }).events.length, 1)
  assert.equal(await (await get('/ip-addresses/ipset')).text(), '8.8.8.8\n')
  assert.match(await (await get('/metrics')).text(), /^sentrypeer_bad_actors 2$/m)
})

test('every tag changes when an event is stored, and the next answer has the event', async (t) => {
  const { append, get } = await startOnDisk(t)
  await append([eventOf({ sourceIp: '8.8.8.8', calledNumber: '100', proof: 'echo', timestamp: second(1) })])
  for (const [n, path] of ['/numbers', '/numbers/100', '/ip-addresses', '/ip-addresses/8.8.8.8', '/events'].entries()) {
    const tag = (await get(path)).headers.get('etag') ?? ''
    assert.equal((await get(path, { 'If-None-Match': tag })).status, 304, path)
    await append([eventOf({ sourceIp: '8.8.8.8', calledNumber: '100', timestamp: second(n + 2) })])
    const answer = await get(path, { 'If-None-Match': tag })
    assert.equal(answer.status, 200, path)
    assert.match(await answer.text(), new RegExp(second(n + 2)), path)
  }
})

test('the tag of events changes when a message arrives again, and the next answer has it', async (t) => {
  const { append, amend, get, json } = await startOnDisk(t)
  const honeyId = await append([eventOf()])
  const tag = (await get('/events')).headers.get('etag') ?? ''
  await amend([{ honeyId, retransmissions: 4 }])
  assert.equal((await get('/events', { 'If-None-Match': tag })).status, 200)
  const { events } = (await json('/events')) as { events: { retransmissions: string }[] }
  assert.equal(events[0]?.retransmissions, '4')
})

test('paged from the oldest, nothing is missed, even what is seen again meanwhile', async (t) => {
  const { append, get } = await startOnDisk(t)
  const numbers = Array.from({ length: 60 }, (_, n) => String(1_000 + n))
  await append(numbers.map((calledNumber, n) => eventOf({ calledNumber, timestamp: second(n) })))
  const seen = new Set<string>()
  let path: string | null = '/numbers?limit=25&order=oldest'
  for (let page = 0; path !== null; page++) {
    const answer: Response = await get(path)
    const body = (await answer.json()) as { called_numbers: { called_number: string }[] }
    for (const { called_number: number } of body.called_numbers) seen.add(number)
    if (page < 2)
      await append(['1001', '1030', '1055'].map((calledNumber) => eventOf({ calledNumber, timestamp: second(600) })))
    path = /^<([^>]+)>/.exec(answer.headers.get('link') ?? '')?.[1] ?? null
  }
  assert.deepEqual([...seen].toSorted(), numbers)
})

test('pages of events have every event once, with or without a filter', async (t) => {
  const { append, get } = await startOnDisk(t)
  await append(
    Array.from({ length: 90 }, (_, n) =>
      eventOf({
        method: n % 3 === 0 ? 'REGISTER' : 'INVITE',
        timestamp: second(n),
        proof: n % 10 === 0 ? 'echo' : 'none',
        credentials: n % 3 === 0 ? CREDENTIALS : null,
      }),
    ),
  )
  for (const [query, count] of [
    ['limit=20', 90],
    ['limit=20&method=REGISTER', 30],
    ['limit=7&method=NOTIFY', 0],
    ['limit=7&credentials=true', 30],
    ['limit=2&min_proof=echo', 9],
    ['limit=2&min_proof=echo&credentials=true', 3],
  ] as const) {
    const times: string[] = []
    let path: string | null = `/events?${query}`
    while (path !== null) {
      const answer: Response = await get(path)
      const body = (await answer.json()) as { events: { event_timestamp: string }[] }
      times.push(...body.events.map(({ event_timestamp: time }) => time))
      path = /^<([^>]+)>/.exec(answer.headers.get('link') ?? '')?.[1] ?? null
    }
    assert.equal(times.length, count, query)
    assert.deepEqual(times, times.toSorted().toReversed(), query)
    assert.equal(new Set(times).size, count, query)
  }
})
