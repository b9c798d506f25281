// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { escaped, shown } from './escape.ts'

for (const [text, expected, why] of [
  ['friendly-scanner', 'friendly-scanner', 'plain text is itself'],
  ['Grüße ☎', 'Grüße ☎', 'letters of any script stay'],
  ['a\r\nb\tc', 'a\\r\\nb\\tc', 'line breaks and tabs are named'],
  ['\u001b[2Jx', '\\u{1b}[2Jx', 'a terminal sees no escape sequence'],
  ['\u009b2J', '\\u{9b}2J', 'nor one that begins with C1'],
  ['\u007f\u0000', '\\u{7f}\\u{0}', 'DEL and NUL are escaped'],
  ['a\u202eb\u2066c\u2028d', 'a\\u{202e}b\\u{2066}c\\u{2028}d', 'nothing turns the direction or breaks the line'],
] as const) {
  test(`${JSON.stringify(text)}: ${why}`, () => assert.equal(escaped(text), expected))
}

test('an attacker cannot write our own words', () => {
  assert.equal(shown('x, Source IP: 192.0.2.9', 100), 'x, Source IP\\u{3a} 192.0.2.9')
  assert.equal(shown('SOURCE ip: 1', 100), 'SOURCE ip\\u{3a} 1')
})

test('long text is cut by characters, not in the middle of one', () => {
  assert.equal(shown('x'.repeat(300), 256), `${'x'.repeat(256)}…`)
  assert.equal(shown('😀'.repeat(5), 4), '😀😀😀😀…')
  assert.equal(shown('😀'.repeat(4), 4), '😀😀😀😀')
})

test('whatever comes in, what is shown has no control character and is not much longer than allowed', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (text) => {
      const line = shown(text, 256)
      assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/)
      assert.doesNotMatch(line, /source ip:/i)
      assert.ok([...line].length <= 256 * 9 + 1)
    }),
  )
})
