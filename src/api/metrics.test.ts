// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'
import { metricsText } from './metrics-text.ts'

test('readings become Prometheus text', async () => {
  const text = await metricsText([
    {
      name: 'sentrypeer_events_dropped_total',
      help: 'Events left out.',
      type: 'counter',
      values: [
        { labels: { reason: 'queue_full' }, value: 3 },
        { labels: { reason: 'store_error' }, value: 0 },
      ],
    },
    { name: 'sentrypeer_queue_events', help: 'Events that wait.', type: 'gauge', values: [{ value: 1.5 }] },
  ])
  assert.equal(
    text,
    `# HELP sentrypeer_events_dropped_total Events left out.
# TYPE sentrypeer_events_dropped_total counter
sentrypeer_events_dropped_total{reason="queue_full"} 3
sentrypeer_events_dropped_total{reason="store_error"} 0

# HELP sentrypeer_queue_events Events that wait.
# TYPE sentrypeer_queue_events gauge
sentrypeer_queue_events 1.5
`,
  )
})

for (const label of ['friendly-scanner\n', '"} 1', '<script>', 'x'.repeat(65), '\u202e']) {
  test(`a label such as ${JSON.stringify(label)} is not passed on`, async () => {
    const values = [{ labels: { agent: label }, value: 1 }]
    const text = await metricsText([{ name: 'sentrypeer_a_total', help: 'A.', type: 'counter', values }])
    assert.match(text, /^sentrypeer_a_total\{agent="other"\} 1$/m)
  })
}

test('/metrics has the daemon and the API in it, every name ours and explained', async (t) => {
  const reader = createFixtureReader({}, { sourceIp: '8.8.4.4' })
  const metrics = () => [
    {
      name: 'sentrypeer_events_stored_total',
      help: 'Events stored.',
      type: 'counter' as const,
      values: [{ value: 2 }],
    },
  ]
  const api = await startFixtureApi(t, reader, { metrics })
  await api.get('/numbers/100')
  await api.get('/numbers/1" 2\n')
  await api.get('/nope')
  const answer = await api.get('/metrics')
  assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  const lines = (await answer.text()).split('\n').filter((line) => line !== '')
  for (const line of [
    'sentrypeer_events_stored_total 2',
    'sentrypeer_bad_actors 2',
    'sentrypeer_called_numbers 1',
    'sentrypeer_build_info{version="1.2.3"} 1',
    'sentrypeer_api_requests_total{route="/numbers/:number",status="200"} 1',
    'sentrypeer_api_requests_total{route="/numbers/:number",status="404"} 1',
    'sentrypeer_api_requests_total{route="none",status="404"} 1',
  ]) {
    assert.ok(lines.includes(line), line)
  }
  const explained = new Set<string>()
  for (const line of lines) {
    const [, word, name = ''] = /^(?:# (HELP|TYPE) )?(sentrypeer_[a-z_]+)/.exec(line) ?? []
    assert.notEqual(name, '', line)
    if (word !== undefined) explained.add(`${word} ${name}`)
    else assert.ok(explained.has(`HELP ${name}`) && explained.has(`TYPE ${name}`), line)
  }
})
