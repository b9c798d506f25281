// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { OperatorError } from '../ops/errors.ts'
import { startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'
import { createKeyCheck } from './keys.ts'

const KEYS = ['correct-horse', `sha256:${hash('sha256', 'battery-staple').toUpperCase()}`]

for (const [authorization, isKey, why] of [
  ['Bearer correct-horse', true, 'is a plain key'],
  ['bearer correct-horse', true, 'is a plain key; the scheme has no case (RFC 9110 §11.1)'],
  ['Bearer   correct-horse ', true, 'is a plain key between spaces'],
  ['Bearer battery-staple', true, 'is the key that a digest was made from'],
  [`Bearer ${KEYS[1]}`, false, 'is the digest, which is not the key'],
  ['Bearer correct', false, 'is a part of a key'],
  ['Bearer correct-horse correct-horse', false, 'is two words'],
  ['Bearer ', false, 'is no key'],
  ['correct-horse', false, 'has no scheme'],
  ['Basic correct-horse', false, 'is another scheme'],
  [undefined, false, 'is missing'],
] as const) {
  test(`"${authorization}" ${why}`, () => assert.equal(createKeyCheck(KEYS)(authorization), isKey))
}

for (const key of ['', 'two words', 'tab\there', 'ключ', 'sha256:', 'sha256:abc', `sha256:${'g'.repeat(64)}`]) {
  test(`"${key}" cannot be a key, and the error does not repeat it`, () => {
    assert.throws(
      () => createKeyCheck([key]),
      (error) => {
        assert.ok(error instanceof OperatorError)
        assert.equal(error.code, 'CONFIG_INVALID')
        return key.length < 8 || !`${error.message} ${error.hint}`.includes(key)
      },
    )
  })
}

test('with keys, everything but the two greetings needs one', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader({}), { keys: KEYS })
  for (const path of [
    '/ip-addresses',
    '/numbers/100',
    '/numbers',
    '/events',
    '/metrics',
    '/openapi.json',
    '/nope',
    '/ip-addresses/ipset',
  ]) {
    const refused = await api.get(path)
    assert.equal(refused.status, 401, path)
    assert.equal(refused.headers.get('www-authenticate'), 'Bearer realm="SentryPeer"')
    assert.equal(typeof ((await refused.json()) as { error: unknown }).error, 'string')
    assert.notEqual((await api.get(path, { Authorization: 'Bearer battery-staple' })).status, 401, path)
  }
  assert.equal((await api.get('/')).status, 200)
  assert.equal((await api.get('/health-check')).status, 200)
})

test('a key in the URL is not a key', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader({}), { keys: KEYS })
  assert.equal((await api.get('/numbers?access_token=correct-horse')).status, 401)
})

test('a wrong key is told to the operator once in a while, and never which it was', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader({}), { keys: KEYS })
  for (let tries = 0; tries < 5; tries++) await api.get('/numbers', { Authorization: 'Bearer guessed-wrong' })
  await api.get('/numbers')
  assert.deepEqual(api.log, ['REST API: a request from 127.0.0.1 had a wrong key and was answered 401\n'])
})

test('other origins may read the answers only while no key is configured', async (t) => {
  const open = await startFixtureApi(t, createFixtureReader({}))
  const closed = await startFixtureApi(t, createFixtureReader({}), { keys: KEYS })
  assert.equal((await open.get('/numbers')).headers.get('access-control-allow-origin'), '*')
  const withKey = await closed.get('/numbers', { Authorization: 'Bearer correct-horse' })
  assert.equal(withKey.status, 200)
  assert.equal(withKey.headers.get('access-control-allow-origin'), null)
})
