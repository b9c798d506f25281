// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'

interface Operation {
  readonly operationId: string
  readonly responses: Record<string, { readonly content: Record<string, { readonly schema: object }> }>
  readonly parameters: readonly { readonly name: string; readonly in: string }[]
}

type Document = {
  readonly openapi: string
  readonly paths: Record<string, { readonly get: Operation }>
}

async function startWithEvents(t: TestContext) {
  const reader = createFixtureReader(
    ...Array.from({ length: 30 }, (_, n) => ({
      sourceIp: `8.8.8.${n}`,
      calledNumber: String(n),
      proof: 'echo' as const,
    })),
  )
  const dropped = { queue_full: 1 }
  const sinks = [
    { name: 'jsonlog', trouble: null },
    { name: 'syslog', trouble: 'no socket' },
  ]
  const api = await startFixtureApi(t, reader, { health: () => ({ notStoring: null, sinks, dropped }) })
  return { ...api, reader, document: (await api.json('/openapi.json')) as Document }
}

test('the document is valid OpenAPI 3.1', async (t) => {
  const { document } = await startWithEvents(t)
  assert.match(document.openapi, /^3\.1\./)
  const result = await new Validator().validate(document)
  assert.deepEqual(result.valid ? [] : result.errors, [])
})

test('no two routes have the same operation id', async (t) => {
  const { document } = await startWithEvents(t)
  const ids = Object.values(document.paths).map(({ get }) => get.operationId)
  assert.equal(new Set(ids).size, ids.length)
})

for (const [path, target, status] of [
  ['/', '/', 200],
  ['/health-check', '/health-check', 200],
  ['/ip-addresses', '/ip-addresses', 200],
  ['/ip-addresses', '/ip-addresses?limit=2', 200],
  ['/ip-addresses', '/ip-addresses?limit=30', 200],
  ['/ip-addresses', '/ip-addresses?since=2030-01-01', 404],
  ['/ip-addresses', '/ip-addresses?limit=0', 400],
  ['/ip-addresses/{ip}', '/ip-addresses/8.8.8.1', 200],
  ['/ip-addresses/{ip}', '/ip-addresses/9.9.9.9', 404],
  ['/ip-addresses/{ip}', '/ip-addresses/x', 400],
  ['/ip-address/{ip}', '/ip-address/8.8.8.1', 200],
  ['/ip-addresses/ipset', '/ip-addresses/ipset', 200],
  ['/ip-addresses/ipset', '/ip-addresses/ipset?format=json', 200],
  ['/ip-addresses/ipset', '/ip-addresses/ipset?format=x', 400],
  ['/numbers', '/numbers', 200],
  ['/numbers', '/numbers?limit=2', 200],
  ['/numbers', '/numbers?min_proof=echo', 200],
  ['/numbers', '/numbers?min_proof=handshake', 404],
  ['/numbers', '/numbers?min_proof=sure', 400],
  ['/numbers', '/numbers?cursor=x', 400],
  ['/numbers/{number}', '/numbers/1', 200],
  ['/numbers/{number}', '/numbers/99', 404],
  ['/numbers/{number}', '/numbers/x', 404],
  ['/numbers/{number}', '/numbers/%zz', 400],
  ['/events', '/events', 200],
  ['/events', '/events?limit=3', 200],
  ['/events', '/events?ip=x', 400],
  ['/metrics', '/metrics', 200],
  ['/openapi.json', '/openapi.json', 200],
] as const) {
  test(`the answer to ${target} is what the document says of ${path} and ${status}`, async (t) => {
    const { document, get } = await startWithEvents(t)
    const answer = await get(target)
    assert.equal(answer.status, status)
    await assertDescribed(document.paths[path]?.get, answer)
  })
}

for (const [why, status, ask] of [
  ['without a key', 401, async (port) => await fetch(`http://127.0.0.1:${port}/numbers`)],
  [
    'with another method',
    405,
    async (port) => await fetch(`http://127.0.0.1:${port}/numbers`, { method: 'PUT', headers: KEY }),
  ],
  ['with a long target', 414, async (port) => await fetch(`http://127.0.0.1:${port}/numbers?${'a'.repeat(9_000)}`)],
  ['while the store fails', 500, async (port) => await fetch(`http://127.0.0.1:${port}/numbers`, { headers: KEY })],
] as readonly [string, number, (port: number) => Promise<Response>][]) {
  test(`the answer ${status} to a request ${why} is what the document says`, async (t) => {
    const { document } = await startWithEvents(t)
    const reader = createFixtureReader({})
    reader.breakRows()
    const { port } = await startFixtureApi(t, reader, { keys: ['k'] })
    const answer = await ask(port)
    assert.equal(answer.status, status)
    await assertDescribed(document.paths['/numbers']?.get, answer)
  })
}

const KEY = { Authorization: 'Bearer k' }

test('503 is what the document says, from a node that cannot store and when there are too many lists', async (t) => {
  const { document } = await startWithEvents(t)
  const health = () => ({ notStoring: 'disk full', sinks: [], dropped: {} })
  const api = await startFixtureApi(t, createFixtureReader({}), { health }, { maxLists: 0 })
  for (const path of ['/health-check', '/numbers', '/ip-addresses', '/events', '/ip-addresses/ipset']) {
    const answer = await api.get(path)
    assert.equal(answer.status, 503, path)
    await assertDescribed(document.paths[path]?.get, answer)
  }
})

/** The body fits the schema of its status and type, and has no key that the schema does not know. */
async function assertDescribed(operation: Operation | undefined, answer: Response): Promise<void> {
  const type = answer.headers.get('content-type')?.split(';')[0] ?? ''
  const schema = operation?.responses[answer.status]?.content[type]?.schema
  assert.ok(schema, `${answer.status} ${type} is not described`)
  const body = type === 'application/json' ? await answer.json() : await answer.text()
  const validate: ValidateFunction = new Ajv2020({ allowUnionTypes: true }).compile(closed(schema))
  assert.ok(validate(body), JSON.stringify(validate.errors))
}

/** The schema with every object closed to keys that it does not name, which the published one leaves open. */
function closed(schema: object): object {
  const entries = Object.entries(schema).map(([key, value]) => [
    key,
    value !== null && typeof value === 'object' && !Array.isArray(value) ? closed(value) : closedItems(value),
  ])
  const open = Object.fromEntries(entries)
  return 'properties' in open &&
    !('additionalProperties' in open) &&
    open.required !== undefined &&
    open.type === 'object'
    ? { ...open, additionalProperties: isDocument(open) }
    : open
}

function closedItems(value: unknown): unknown {
  return Array.isArray(value)
    ? value.map((item) => (item !== null && typeof item === 'object' ? closed(item) : item))
    : value
}

// The document's own schema is a sketch on purpose: what holds it to OpenAPI is the test above.
function isDocument({ properties }: { properties: object }): boolean {
  return 'openapi' in properties
}
