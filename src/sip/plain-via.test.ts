// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { answeredPlainVia } from './plain-via.ts'
import { answeredVia } from './via.ts'

for (const value of [
  'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1;rport',
  'SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK-1',
  'SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-1',
  'SIP/2.0/UDP 192.0.2.1',
]) {
  test(`${value} needs no closer look`, () => {
    for (const isLean of [false, true]) {
      assert.deepEqual(
        [answeredPlainVia(value, '192.0.2.1', 5071, isLean)],
        answeredVia([value], '192.0.2.1', 5071, isLean),
      )
    }
  })
}

test('whatever is plain is answered as it is after the closer look', () => {
  const part = fc.constantFrom(
    ...[
      'SIP/2.0/UDP ',
      'SIP/2.0/TCP ',
      'SIP / 2.0 / UDP ',
      '192.0.2.1',
      'host',
      ':5060',
      ':',
      '[::1]',
      ' ',
      '\t',
      ';',
      ';;',
    ],
    ...[
      ';rport',
      ';RPORT',
      ';rport=1',
      ';received=a',
      ';Received=a',
      ';branch=z9hG4bKrport',
      ';branch=1',
      ', ',
      ',SIP/2.0/UDP a',
    ],
    ...['"', '";rport"', '=', '\r', '\x00', '\xa0', 'rport', ';x'],
  )
  const value = fc.tuple(fc.constantFrom('SIP/2.0/UDP ', 'SIP/2.0/UDP 192.0.2.1', ''), fc.array(part, { maxLength: 6 }))
  let plain = 0
  fc.assert(
    fc.property(value, fc.boolean(), ([start, parts], isLean) => {
      const text = start + parts.join('')
      const answered = answeredPlainVia(text, '192.0.2.1', 5071, isLean)
      if (answered === null) return
      plain++
      assert.deepEqual([answered], answeredVia([text], '192.0.2.1', 5071, isLean))
    }),
    { numRuns: 5_000 },
  )
  assert.ok(plain > 200, `only ${plain} were plain`)
})
