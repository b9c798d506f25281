// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { createBogonCheck } from '../net/ip.ts'
import type { StoredEvent } from '../store/store.ts'
import { startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'

const DOCS = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8')

/** The four events of the node that the examples were made on. */
const EVENTS = [
  { method: 'OPTIONS', calledNumber: '100', proof: 'none' },
  {
    calledNumber: '00046500729221',
    proofBy: 'nonce',
    credentials: {
      user: '100',
      realm: 'asterisk',
      nonce: '1763626502/5f1d6a0c2b9e4873',
      response: '6629fae49393a05397450978507c4ef1',
      algorithm: 'MD5',
      password: '1234',
    },
  },
  {
    calledNumber: '+46500729221',
    sourceIp: '2001:db8::17',
    transport: 'TCP',
    proof: 'handshake',
    proofBy: 'tcp',
    userAgent: 'pplsip',
  },
  { calledNumber: '00046500729221', sourceIp: '198.51.100.23', proof: 'none' },
].map(
  (event, index): Partial<StoredEvent> => ({
    sourceIp: '198.51.100.7',
    sourcePort: 5071,
    destinationIp: '203.0.113.10',
    collectedMethod: 'responsive',
    proof: 'echo',
    timestamp: `2026-11-20 08:15:0${index + 1}.104233742`,
    eventUuid: `019ab1c5-6c0${index + 1}-7d4e-9b1a-3f2c5a7e910${index + 1}`,
    sipMessage: `INVITE sip:${event.calledNumber}@203.0.113.10 SIP/2.0\r\n\r\n`,
    ...event,
  }),
)

async function startDocumented(t: TestContext) {
  return await startFixtureApi(t, createFixtureReader(...EVENTS), {
    version: '0.1.0',
    isBogon: createBogonCheck(['198.51.100.0/24', '2001:db8::/32']),
    health: () => ({
      notStoring: null,
      sinks: [
        { name: 'jsonlog', trouble: null },
        { name: 'syslog', trouble: '/dev/log: ENOENT' },
      ],
      dropped: { events_dropped_queue_full: 0 },
    }),
  })
}

const EXAMPLE = /^\$ curl -s '?http:\/\/localhost:8082([^'\s]*)'?(?: \| (jq)(?: '([^']+)')?)?\n([^$`]*)/gm

for (const [, path = '', jq, filter, output = ''] of DOCS.matchAll(EXAMPLE)) {
  test(`docs/api.md shows what ${path} answers${filter === undefined ? '' : `, through ${filter}`}`, async (t) => {
    const api = await startDocumented(t)
    const answer = await (await api.get(path)).text()
    if (jq === undefined) assert.equal(answer.trimEnd(), output.trimEnd())
    else assert.deepEqual(filtered(JSON.parse(answer), filter), JSON.parse(output))
  })
}

test('every section of docs/api.md is there once', () => {
  const titles = DOCS.match(/^## .+$/gm)
  assert.deepEqual(titles, [...new Set(titles)])
})

test('every example of docs/api.md was tried', () => {
  assert.equal([...DOCS.matchAll(EXAMPLE)].length, [...DOCS.matchAll(/^\$ /gm)].length)
})

test('docs/api.md names every path, and no other', async (t) => {
  const api = await startDocumented(t)
  const { paths } = (await api.json('/openapi.json')) as { paths: object }
  const table = DOCS.slice(DOCS.indexOf('| path |'), DOCS.indexOf('Only these paths'))
  const named = [...table.matchAll(/`(\/[^`]*)`/g)].map(([, path]) => path)
  assert.deepEqual(named.toSorted(), Object.keys(paths).toSorted())
})

test('docs/api.md names every query parameter of every path', async (t) => {
  const api = await startDocumented(t)
  const { paths } = (await api.json('/openapi.json')) as {
    paths: Record<string, { get: { parameters: { name: string; in: string }[] } }>
  }
  for (const { get } of Object.values(paths)) {
    for (const { name } of get.parameters.filter((parameter) => parameter.in === 'query')) {
      assert.match(DOCS, new RegExp(`\`${name}\`|\\?${name}=`), name)
    }
  }
})

/** As much of jq as the examples use: `{a, b}` picks keys, `.a[].b` lists one. */
function filtered(body: Record<string, unknown>, filter: string | undefined): unknown {
  if (filter === undefined) return body
  const list = /^\.(\w+)\[\]\.(\w+)$/.exec(filter)
  if (list) return (body[list[1] ?? ''] as Record<string, unknown>[])[0]?.[list[2] ?? '']
  const keys = filter.match(/\w+/g) ?? []
  return Object.fromEntries(keys.map((key) => [key, body[key]]))
}
