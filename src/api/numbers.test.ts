// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'

for (const [dialled, asked, found, why] of [
  [['00046500729221'], '00046500729221', '00046500729221', 'leading zeros are part of a number'],
  [['46500'], '+46500', '46500', 'a plus sign that was not dialled does not matter'],
  [['+46500'], '46500', '+46500', 'a plus sign that was dialled does not matter'],
  [['+46500'], '%2B46500', '+46500', 'a plus sign may be percent-encoded'],
  [['+46500', '46500'], '46500', '46500', 'when both were dialled, each is found as it is'],
  [['+46500', '46500'], '+46500', '+46500', 'when both were dialled, each is found as it is'],
  [['46500'], '46501', null, 'another number is not found'],
] as const) {
  test(`asked for ${asked} after ${dialled.join(' and ')}: ${why}`, async (t) => {
    const api = await startFixtureApi(t, createFixtureReader(...dialled.map((calledNumber) => ({ calledNumber }))))
    const answer = await api.get(`/numbers/${asked}`)
    const body = (await answer.json()) as Record<string, unknown>
    assert.equal(answer.status, found === null ? 404 : 200)
    assert.equal(body['called_number'] ?? null, found)
    if (found !== null) assert.equal(body['phone_number_found'], decodeURIComponent(asked))
  })
}

test('a number comes with what is known of it, without the messages', async (t) => {
  const reader = createFixtureReader(
    { calledNumber: '100', sourceIp: '8.8.8.8', timestamp: '2026-01-01 00:00:00.000000001' },
    {
      calledNumber: '100',
      sourceIp: '8.8.4.4',
      method: 'REGISTER',
      timestamp: '2026-01-02 00:00:00.000000000',
      proof: 'echo',
    },
    { calledNumber: '100', sourceIp: '8.8.8.8', timestamp: '2026-01-03 00:00:00.000000000' },
    { calledNumber: '200', proof: 'handshake' },
  )
  const api = await startFixtureApi(t, reader)
  const { recent_events: recent, ...known } = (await api.json('/numbers/100')) as { recent_events: object[] }
  assert.deepEqual(known, {
    phone_number_found: '100',
    called_number: '100',
    seen_first: '2026-01-01 00:00:00.000000001',
    seen_last: '2026-01-03 00:00:00.000000000',
    seen_count: '3',
    proof: 'echo',
    examined_events: 3,
    methods: [
      { method: 'INVITE', seen_count: '2' },
      { method: 'REGISTER', seen_count: '1' },
    ],
    user_agents: [{ user_agent: 'friendly-scanner', seen_count: '3' }],
    ip_addresses: [
      { ip_address: '8.8.8.8', seen_count: '2' },
      { ip_address: '8.8.4.4', seen_count: '1' },
    ],
  })
  assert.equal(recent.length, 3)
  assert.ok(recent.every((event) => !('sip_message' in event)))
})

test('the list has the total first, and of each number what the C program had first', async (t) => {
  const reader = createFixtureReader(
    { calledNumber: '0001', timestamp: '2026-01-01 00:00:00.000000000', proof: 'handshake' },
    { calledNumber: 'admin', timestamp: '2026-01-01 00:00:01.000000000' },
    { calledNumber: '+2', timestamp: '2026-01-02 00:00:00.000000000' },
    { calledNumber: '0001', timestamp: '2026-01-03 00:00:00.000000000' },
  )
  const api = await startFixtureApi(t, reader)
  assert.equal(
    await (await api.get('/numbers')).text(),
    '{"called_numbers_total":2,"called_numbers":[' +
      '{"called_number":"0001","seen_last":"2026-01-03 00:00:00.000000000","seen_count":"2",' +
      '"seen_first":"2026-01-01 00:00:00.000000000","proof":"handshake"},' +
      '{"called_number":"+2","seen_last":"2026-01-02 00:00:00.000000000","seen_count":"1",' +
      '"seen_first":"2026-01-02 00:00:00.000000000","proof":"none"}]}',
  )
})

for (const [query, listed] of [
  ['', ['1', '2', '3']],
  ['?min_proof=none', ['1', '2', '3']],
  ['?min_proof=echo', ['2', '3']],
  ['?min_proof=handshake', ['3']],
  ['?min_proof=echo&limit=1', ['3']],
] as const) {
  test(`/numbers${query} has ${listed.join(', ')} of three numbers by proof; its total stays that of all`, async (t) => {
    const reader = createFixtureReader(
      { calledNumber: '1', proof: 'none' },
      { calledNumber: '2', proof: 'echo' },
      { calledNumber: '3', proof: 'handshake' },
      { calledNumber: '3', proof: 'none' },
    )
    const api = await startFixtureApi(t, reader)
    const { called_numbers_total: total, called_numbers: numbers } = (await api.json(`/numbers${query}`)) as {
      called_numbers_total: number
      called_numbers: { called_number: string }[]
    }
    assert.deepEqual(numbers.map((row) => row.called_number).toSorted(), listed)
    assert.equal(total, 3)
  })
}

test('no number that is proven well enough is the same answer as no number at all', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader({ calledNumber: '1', proof: 'echo' }))
  const answer = await api.get('/numbers?min_proof=handshake')
  assert.equal(answer.status, 404)
  assert.deepEqual(await answer.json(), { message: 'No phone numbers found' })
})
