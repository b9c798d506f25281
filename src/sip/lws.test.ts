// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lwsEnd, lwsStart, trimLws } from './lws.ts'

for (const [text, trimmed, why] of [
  [' \t a b\t ', 'a b', 'space and tab go, inside they stay'],
  ['', '', 'nothing stays nothing'],
  [' \t ', '', 'white space only leaves nothing'],
  ['\xa0a\xc3\xa0', '\xa0a\xc3\xa0', '0xA0 may be half of a UTF-8 character and stays'],
  ['\r\na\v\f', '\r\na\v\f', 'what RFC 3261 does not call white space in a line stays'],
] as const) {
  test(`trimming ${JSON.stringify(text)}: ${why}`, () => assert.equal(trimLws(text), trimmed))
}

test('white space is looked for only between the two ends that are given', () => {
  assert.equal(lwsEnd('   a', 1, 2), 2)
  assert.equal(lwsEnd('a  b', 1, 4), 3)
  assert.equal(lwsStart('a   ', 2, 4), 2)
  assert.equal(lwsStart('a  b', 0, 3), 1)
})
