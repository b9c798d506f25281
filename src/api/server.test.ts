// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { OperatorError } from '../ops/errors.ts'
import { type FixtureOptions, fixtureOptions, makeListsHere, startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'
import { startApi } from './server.ts'

function startHere(options: FixtureOptions = {}) {
  const reader = createFixtureReader()
  return startApi(fixtureOptions(options), reader, makeListsHere(reader))
}

const NOT_THERE = '{"error":"The requested resource could not be found."}'

for (const [path, status, body] of [
  ['/', 200, '{"status":"OK"}'],
  ['/ip-addresses', 404, '{"message":"No bad actors found"}'],
  ['/ip-addresses?min_proof=handshake', 404, '{"message":"No bad actors found"}'],
  ['/ip-addresses?limit=1', 404, '{"message":"No bad actors found"}'],
  ['/ip-addresses/8.8.8.8', 404, '{"message":"No bad actor found"}'],
  ['/ip-address/8.8.8.8', 404, '{"message":"No bad actor found"}'],
  ['/numbers', 404, '{"message":"No phone numbers found"}'],
  ['/numbers/100', 404, '{"message":"No phone number found"}'],
  ['/ip-addresses/ipset', 200, ''],
  ['/events', 200, '{"events":[],"next_cursor":null}'],
] as const) {
  test(`with an empty store GET ${path} answers ${status} ${body}`, async (t) => {
    const api = await startFixtureApi(t, createFixtureReader())
    const answer = await api.get(path)
    assert.equal(answer.status, status)
    assert.equal(await answer.text(), body)
  })
}

for (const path of [
  '/nope',
  '/numbers/',
  '/numbers/12a',
  '/numbers/100/',
  '/numbers/100/x',
  '/numbers/++1',
  '/ip-addresses/',
  '/ip-addresses/8.8.8.8/x',
  '//numbers',
  '/Numbers',
  '/number',
  '/prefix/numbers',
  '/health-check/',
  '/numbers%2F100',
]) {
  test(`${path} is not a path of the API`, async (t) => {
    const api = await startFixtureApi(t, createFixtureReader({ calledNumber: '100' }))
    const answer = await api.get(path)
    assert.equal(answer.status, 404)
    assert.equal(await answer.text(), NOT_THERE)
  })
}

test('every answer says who answers, and that its type is to be believed', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader({}))
  for (const path of [
    '/',
    '/health-check',
    '/ip-addresses',
    '/numbers/5',
    '/numbers/%zz',
    '/nope',
    '/events?limit=0',
  ]) {
    const { headers } = await api.get(path)
    assert.equal(headers.get('x-powered-by'), 'SentryPeer', path)
    assert.equal(headers.get('x-sentrypeer-version'), '1.2.3', path)
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path)
    assert.equal(headers.get('content-type'), 'application/json; charset=utf-8', path)
  }
})

for (const host of ['0.0.0.0', '::', '192.0.2.1', 'pbx.example']) {
  test(`without a key the API does not listen on ${host}`, async () => {
    const starting = startHere({ listen: { host, port: 0 } })
    await assert.rejects(starting, (error) => error instanceof OperatorError && error.code === 'API_NEEDS_KEY')
  })
}

for (const [why, options] of [
  ['with a key', { keys: ['secret'] }],
  ['when everyone may ask', { allowAnonymous: true }],
] as const) {
  test(`${why} the API listens beyond loopback`, async (t) => {
    const api = await startHere({ listen: { host: '0.0.0.0', port: 0 }, ...options })
    t.after(() => api.stop())
    assert.equal(api.address, '0.0.0.0')
    assert.equal((await fetch(`http://127.0.0.1:${api.port}/`)).status, 200)
  })
}

for (const host of ['127.0.0.1', 'localhost']) {
  test(`without a key the API listens on ${host}`, async (t) => {
    const api = await startHere({ listen: { host, port: 0 } })
    t.after(() => api.stop())
    assert.equal((await fetch(`http://${host}:${api.port}/`)).status, 200)
  })
}

test('a port that is taken is an error that names it and what to do', async (t) => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  t.after(() => other.close())
  const taken = other.address()
  assert.ok(taken !== null && typeof taken === 'object')
  await assert.rejects(startHere({ listen: { host: '127.0.0.1', port: taken.port } }), (error) => {
    assert.ok(error instanceof OperatorError)
    assert.equal(error.code, 'LISTEN_FAILED')
    assert.match(error.message, new RegExp(`on 127\\.0\\.0\\.1:${taken.port}: EADDRINUSE`))
    assert.match(error.hint, /--api-listen/)
    return true
  })
})

test('an address that the machine does not have is an error that says so', async () => {
  const starting = startHere({ listen: { host: '192.0.2.1', port: 0 }, keys: ['secret'] })
  await assert.rejects(starting, (error) => {
    assert.ok(error instanceof OperatorError)
    assert.equal(error.code, 'LISTEN_FAILED')
    assert.match(error.hint, /no such address/)
    return true
  })
})

test('after a stop nothing listens any more', async () => {
  const api = await startHere()
  await fetch(`http://127.0.0.1:${api.port}/`)
  await api.stop()
  await assert.rejects(fetch(`http://127.0.0.1:${api.port}/`))
})

test('the OpenAPI document lists exactly the paths of the contract', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader())
  const document = (await api.json('/openapi.json')) as { paths: object }
  assert.deepEqual(Object.keys(document.paths).toSorted(), [
    '/',
    '/events',
    '/health-check',
    '/ip-address/{ip}',
    '/ip-addresses',
    '/ip-addresses/ipset',
    '/ip-addresses/{ip}',
    '/metrics',
    '/numbers',
    '/numbers/{number}',
    '/openapi.json',
  ])
})
