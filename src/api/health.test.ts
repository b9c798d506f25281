// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fixtureOptions, makeListsHere, startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'
import type { HealthReport } from './health.ts'
import { startApi } from './server.ts'

const WELL: HealthReport = { notStoring: null, sinks: [], dropped: {} }
const FAILING_SINK: HealthReport = {
  notStoring: null,
  sinks: [
    { name: 'jsonlog', trouble: null },
    { name: 'syslog', trouble: 'no /dev/log\u001b[2J' },
  ],
  dropped: { queue_full: 3, rate_limited: 0 },
}
const FULL_DISK: HealthReport = { ...WELL, notStoring: 'database or disk is full' }

test('a well node says hello', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader(), { health: () => WELL })
  const answer = await api.get('/health-check')
  assert.equal(answer.status, 200)
  assert.equal(
    await answer.text(),
    '{"status":"OK","message":"Hello from SentryPeer!","version":"1.2.3","sinks":[],"dropped":{}}',
  )
})

test('a failing sink is told of, and does not make the node unhealthy', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader(), { health: () => FAILING_SINK })
  const answer = await api.get('/health-check')
  assert.equal(answer.status, 200)
  assert.deepEqual(await answer.json(), {
    status: 'OK',
    message: 'Hello from SentryPeer!',
    version: '1.2.3',
    sinks: [
      { name: 'jsonlog', status: 'OK' },
      { name: 'syslog', status: 'FAIL', reason: 'no /dev/log\\u{1b}[2J' },
    ],
    dropped: { queue_full: 3, rate_limited: 0 },
  })
})

test('a node that cannot store events is unhealthy and says why, until it can again', async (t) => {
  let report = FULL_DISK
  const api = await startFixtureApi(t, createFixtureReader(), { health: () => report })
  const answer = await api.get('/health-check')
  assert.equal(answer.status, 503)
  const body = (await answer.json()) as Record<string, unknown>
  assert.equal(body['status'], 'FAIL')
  assert.equal(body['reason'], 'database or disk is full')
  report = WELL
  assert.equal((await api.get('/health-check')).status, 200)
})

test('with keys, the reasons are for those who have one', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader(), { health: () => FULL_DISK, keys: ['k'] })
  const answer = await api.get('/health-check')
  assert.equal(answer.status, 503)
  assert.deepEqual(await answer.json(), { status: 'FAIL', message: 'Events cannot be stored', version: '1.2.3' })
  const full = (await api.json('/health-check', { Authorization: 'Bearer k' })) as Record<string, unknown>
  assert.equal(full['reason'], 'database or disk is full')
})

test('a browser gets a page that says the same', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader(), { health: () => FULL_DISK, version: '<script>' })
  const answer = await api.get('/health-check', { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' })
  assert.equal(answer.status, 503)
  assert.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8')
  assert.match(answer.headers.get('content-security-policy') ?? '', /^default-src 'self'/)
  const page = await answer.text()
  assert.match(page, /<h1>SentryPeer: FAIL<\/h1>/)
  assert.match(page, /Version &#60;script&#62;/)
})

for (const [silentMs, status, unanswered] of [
  [0, 200, undefined],
  [2_340, 200, 2.3],
  [10_000, 503, 10],
] as const) {
  test(`with a main thread that has been silent for ${silentMs} ms the status is ${status}`, async (t) => {
    const silent = async () => ({ value: WELL, silentMs })
    const reader = createFixtureReader()
    const api = await startApi({ ...fixtureOptions(), health: silent }, reader, makeListsHere(reader))
    t.after(() => api.stop())
    const answer = await fetch(`http://127.0.0.1:${api.port}/health-check`)
    assert.equal(answer.status, status)
    const body = (await answer.json()) as Record<string, unknown>
    assert.equal(body['unanswered_seconds'], unanswered)
    assert.equal(body['reason'], status === 200 ? undefined : 'what receives has not answered for 10 s')
  })
}
