// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DERIVED_COUNT, readWeakPasswords, WEAK_PASSWORDS, weakPasswords } from './weak-passwords.ts'

test('the list that is built in is short and names nothing twice', () => {
  assert.equal(new Set(WEAK_PASSWORDS).size, WEAK_PASSWORDS.length)
  assert.ok(WEAK_PASSWORDS.length >= 110 && WEAK_PASSWORDS.length <= 150)
  assert.ok(WEAK_PASSWORDS.every((password) => /^[\x21-\x7e]{0,16}$/.test(password)))
})

test('what is made of the user comes first, then the list in its order', () => {
  const passwords = [...weakPasswords('1000', ['1234', '1000', 'sip1000', 'admin'])]
  for (const derived of ['1000', '10001000', '0001', '1000123', 'ext1000', 'sip1000']) {
    assert.ok(passwords.indexOf(derived) !== -1 && passwords.indexOf(derived) < passwords.indexOf('1234'), derived)
  }
  assert.equal(passwords[0], '1000')
  assert.deepEqual(passwords.slice(-2), ['1234', 'admin'])
})

test('the user of a client that writes a domain is what stands before it', () => {
  assert.deepEqual([...weakPasswords('100@example.com', [])], [...weakPasswords('100', [])])
})

test('no password comes twice, and never more than there are rules and words', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (user) => {
      const passwords = [...weakPasswords(user, WEAK_PASSWORDS)]
      assert.equal(new Set(passwords).size, passwords.length)
      assert.ok(passwords.length <= DERIVED_COUNT + WEAK_PASSWORDS.length)
    }),
  )
})

test('nothing is made of an empty name or of one that is no extension', () => {
  for (const user of ['', '@example.com', '1'.repeat(65)])
    assert.deepEqual([...weakPasswords(user, ['1234'])], ['1234'])
})

for (const [text, expected, why] of [
  ['', [], 'may be empty'],
  ['1234\nadmin', ['1234', 'admin'], 'needs no line break at its end'],
  ['1234\r\nadmin\r\n', ['1234', 'admin'], 'may come from another system'],
  ['\uFEFF1234\n\n\nadmin\n', ['1234', 'admin'], 'may have a byte order mark and empty lines'],
  ['# mine\n1234 # five\n #6\n', ['1234 # five', ' #6'], 'has comments at the start of a line only'],
  ['1234\nadmin\n1234\n', ['1234', 'admin'], 'counts a repeated line once'],
  [`${'x'.repeat(128)}\r\n`, ['x'.repeat(128)], 'has lines of up to 128 characters'],
] as const) {
  test(`an operator's list ${why}`, () => assert.deepEqual(readWeakPasswords(text), expected))
}

test('a list or a line that is too long is refused with the number of the line', () => {
  assert.equal(readWeakPasswords('1\n'.repeat(10_000)).length, 1)
  assert.throws(() => readWeakPasswords('1\n'.repeat(10_001)), /line 10001: a list has at most 10000 lines/)
  assert.throws(() => readWeakPasswords(`1\n2\n${'x'.repeat(129)}`), /line 3: a line has at most 128 characters/)
})
