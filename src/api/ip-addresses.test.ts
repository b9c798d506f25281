// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'

for (const path of ['/ip-addresses', '/ip-address']) {
  for (const [asked, found] of [
    ['8.8.8.8', '8.8.8.8'],
    ['::ffff:8.8.8.8', '8.8.8.8'],
    ['2a00:0:0::0:1', '2a00::1'],
    ['2A00::1', '2a00::1'],
    ['2a00%3A%3A1', '2a00::1'],
  ] as const) {
    test(`${path}/${asked} finds ${found}`, async (t) => {
      const api = await startFixtureApi(t, createFixtureReader({ sourceIp: '8.8.8.8' }, { sourceIp: '2a00::1' }))
      const body = (await api.json(`${path}/${asked}`)) as Record<string, unknown>
      assert.equal(Object.keys(body)[0], 'bad_actor_found')
      assert.equal(body['bad_actor_found'], found)
    })
  }

  for (const asked of ['8.8.8', 'localhost', '8.8.8.8:5060', '08.8.8.8', '__proto__', '%00', "'; DROP TABLE honey"]) {
    test(`${path}/${asked} is invalid, not unknown`, async (t) => {
      const api = await startFixtureApi(t, createFixtureReader({}))
      const answer = await api.get(`${path}/${asked}`)
      assert.equal(answer.status, 400)
      const body = (await answer.json()) as Record<string, unknown>
      assert.equal(body['error'], 'The request data was invalid')
    })
  }
}

test('a bad actor comes with proof, counts over its newest events and the newest ten of them', async (t) => {
  const reader = createFixtureReader(
    ...Array.from({ length: 12 }, (_, index) => ({ calledNumber: String(index % 2), userAgent: 'x'.repeat(1_000) })),
    { calledNumber: '0', proof: 'echo', proofBy: 'to-tag', timestamp: '2026-01-01 00:01:00.000000000' },
    { sourceIp: '8.8.4.4' },
  )
  const api = await startFixtureApi(t, reader)
  const body = (await api.json('/ip-addresses/8.8.8.8?examine=50')) as Record<string, unknown>
  assert.deepEqual(
    [body['proof'], body['proof_at'], body['proof_by']],
    ['echo', '2026-01-01 00:01:00.000000000', 'to-tag'],
  )
  assert.equal(body['seen_count'], '13')
  assert.equal(body['examined_events'], 13)
  assert.deepEqual(body['called_numbers'], [
    { called_number: '0', seen_count: '7' },
    { called_number: '1', seen_count: '6' },
  ])
  assert.deepEqual(body['user_agents'], [
    { user_agent: `${'x'.repeat(256)}…`, seen_count: '12' },
    { user_agent: 'friendly-scanner', seen_count: '1' },
  ])
  const recent = body['recent_events'] as { event_uuid: string }[]
  assert.deepEqual(
    recent.map(({ event_uuid: uuid }) => Number(uuid.slice(-12))),
    [13, 12, 11, 10, 9, 8, 7, 6, 5, 4],
  )
})

for (const [query, examined] of [
  ['', 5],
  ['?examine=0', 0],
  ['?examine=3', 3],
  ['?examine=100', 12],
] as const) {
  test(`/ip-addresses/{ip}${query} looks at ${examined} of 12 events, and counts all`, async (t) => {
    const api = await startFixtureApi(t, createFixtureReader(...Array.from({ length: 12 }, () => ({}))))
    for (const path of ['/ip-addresses/8.8.8.8', '/numbers/100']) {
      const body = (await api.json(`${path}${query}`)) as Record<string, unknown>
      assert.equal(body['seen_count'], '12')
      assert.equal(body['examined_events'], examined)
      assert.equal((body['recent_events'] as unknown[]).length, Math.min(10, examined))
    }
  })
}

test('the list has what the C program had first, then when first seen and how well proven', async (t) => {
  const reader = createFixtureReader({ timestamp: '2026-01-01 00:00:00.000000000', proof: 'handshake', proofBy: 'tls' })
  const api = await startFixtureApi(t, reader)
  assert.equal(
    await (await api.get('/ip-addresses')).text(),
    '{"ip_addresses_total":1,"ip_addresses":[{"ip_address":"8.8.8.8","seen_last":"2026-01-01 00:00:00.000000000",' +
      '"seen_count":"1","seen_first":"2026-01-01 00:00:00.000000000","proof":"handshake",' +
      '"proof_at":"2026-01-01 00:00:00.000000000","proof_by":"tls"}]}',
  )
})

test('an address that proved nothing has neither a time nor a way of proof', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader({ proof: 'none' }))
  const body = (await api.json('/ip-addresses/8.8.8.8')) as Record<string, unknown>
  assert.deepEqual([body['proof'], body['proof_at'], body['proof_by']], ['none', '', ''])
})

test('a list may be of well proven addresses only; its total stays that of all', async (t) => {
  const reader = createFixtureReader(
    { sourceIp: '8.8.8.1', proof: 'none' },
    { sourceIp: '8.8.8.2', proof: 'echo' },
    { sourceIp: '8.8.8.3', proof: 'handshake' },
  )
  const api = await startFixtureApi(t, reader)
  const body = (await api.json('/ip-addresses?min_proof=echo')) as { ip_addresses: { ip_address: string }[] }
  assert.deepEqual(
    body.ip_addresses.map(({ ip_address: ip }) => ip),
    ['8.8.8.3', '8.8.8.2'],
  )
  assert.equal('ip_addresses_total' in body && body.ip_addresses_total, 3)
})
