// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { eventOf } from '../store/sqlite/fixture.ts'
import { eventJson, jsonText } from './json.ts'

test('JSON of hostile text reads back the same and holds nothing that a terminal obeys', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const json = jsonText({ text })
      assert.deepEqual(JSON.parse(json), { text })
      assert.doesNotMatch(json, /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/)
    }),
  )
  assert.equal(jsonText('\u009b2J\u202e\u007f'), '"\\u009b2J\\u202e\\u007f"')
  assert.equal(jsonText('DEL alone: \u007f'), '"DEL alone: \\u007f"')
})

const ADDED_KEYS = [
  'proof_by',
  'auth_user',
  'auth_realm',
  'auth_nonce',
  'auth_response',
  'auth_algorithm',
  'auth_password',
] as const
const credentials = { user: '100', realm: 'r', nonce: 'n', response: '0f', algorithm: 'MD5' }

for (const [what, changes, expected] of [
  ['no proof and no credentials are empty', {}, ['', '', '', '', '', '', '']],
  [
    'a proof says what showed it, and credentials are whole',
    { proof: 'echo', proofBy: 'nonce', credentials: { ...credentials, password: '1234' } },
    ['nonce', '100', 'r', 'n', '0f', 'MD5', '1234'],
  ],
  [
    'a password that is not known is empty',
    { credentials: { ...credentials, password: null } },
    ['', '100', 'r', 'n', '0f', 'MD5', ''],
  ],
] as const) {
  test(`in the JSON of an event ${what}`, () => {
    const json: Record<string, unknown> = JSON.parse(eventJson(eventOf(changes), { name: '', version: '' }, 'seed'))
    assert.deepEqual(
      Object.entries(json).slice(20),
      ADDED_KEYS.map((key, index) => [key, expected[index]]),
    )
  })
}
