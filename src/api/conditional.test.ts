// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listsTag } from './conditional.ts'
import { startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'

for (const [header, listed] of [
  [undefined, false],
  ['"tag"', true],
  ['W/"tag"', true],
  ['"other", W/"tag"', true],
  ['"other","tag"', true],
  ['*', true],
  ['"other"', false],
  ['tag', false],
  ['"tag', false],
  ['', false],
] as const) {
  test(`If-None-Match: ${header} ${listed ? 'lists' : 'does not list'} "tag"`, () =>
    assert.equal(listsTag(header, '"tag"'), listed))
}

const CONDITIONAL = [
  '/ip-addresses',
  '/ip-addresses?limit=1',
  '/ip-addresses/8.8.8.8',
  '/ip-addresses/ipset',
  '/numbers',
  '/numbers/100',
  '/events',
]

for (const path of CONDITIONAL) {
  test(`${path} is not sent again until an event of it is stored`, async (t) => {
    const reader = createFixtureReader({})
    const api = await startFixtureApi(t, reader)
    const tag = (await api.get(path)).headers.get('etag') ?? ''
    assert.match(tag, /^"[^"]+"$/)

    const again = await api.get(path, { 'If-None-Match': tag })
    assert.equal(again.status, 304)
    assert.equal(await again.text(), '')
    assert.equal(again.headers.get('etag'), tag)
    assert.equal(again.headers.get('vary'), 'Accept-Encoding')

    reader.add({})
    const changed = await api.get(path, { 'If-None-Match': tag })
    assert.equal(changed.status, 200)
    assert.notEqual(changed.headers.get('etag'), tag)
  })
}

test('an answer that says nothing is known has no tag, whatever the client holds', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader())
  for (const path of ['/ip-addresses', '/numbers', '/numbers?limit=1', '/numbers/100', '/ip-addresses/8.8.8.8']) {
    const answer = await api.get(path, { 'If-None-Match': '*' })
    assert.equal(answer.status, 404, path)
    assert.equal(answer.headers.get('etag'), null, path)
  }
})

test('a tag of before a restart does not count after it', async (t) => {
  const reader = createFixtureReader({})
  const before = await startFixtureApi(t, reader)
  const after = await startFixtureApi(t, reader)
  const tag = (await before.get('/numbers')).headers.get('etag') ?? ''
  assert.equal((await after.get('/numbers', { 'If-None-Match': tag })).status, 200)
})

test('the details of one number stay as they are while others are called', async (t) => {
  const reader = createFixtureReader({ calledNumber: '100' })
  const api = await startFixtureApi(t, reader)
  const tag = (await api.get('/numbers/100')).headers.get('etag') ?? ''
  reader.add({ calledNumber: '200' })
  assert.equal((await api.get('/numbers/100', { 'If-None-Match': tag })).status, 304)
  assert.notEqual((await api.get('/numbers/200')).headers.get('etag'), tag)
})

test('each encoding has a tag of its own', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader({}))
  const tagFor = async (encoding: string) =>
    (await api.get('/numbers', { 'Accept-Encoding': encoding })).headers.get('etag')
  assert.notEqual(await tagFor('gzip'), await tagFor('identity'))
})

test('the blocklist has a new tag when an address of our own changes', async (t) => {
  const own = new Set<string>()
  const api = await startFixtureApi(t, createFixtureReader({ proof: 'echo' }), { ownAddresses: () => own })
  const tag = (await api.get('/ip-addresses/ipset')).headers.get('etag') ?? ''
  own.add('8.8.8.8')
  const answer = await api.get('/ip-addresses/ipset', { 'If-None-Match': tag })
  assert.equal(answer.status, 200)
  assert.equal(await answer.text(), '')
})
