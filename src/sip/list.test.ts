// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { listElements } from './list.ts'

for (const [value, elements, why] of [
  ['<sip:1@a>, <sip:2@a>', ['<sip:1@a>', '<sip:2@a>'], 'are separated by commas (RFC 3261 §7.3.1)'],
  ['a,,  ,b ,', ['a', 'b'], 'that are empty are left out'],
  ['"a, b" <sip:1@a>,c', ['"a, b" <sip:1@a>', 'c'], 'may have commas in a quoted name'],
  ['"a\\", b" <sip:1@a>,c', ['"a\\", b" <sip:1@a>', 'c'], 'may have escaped quotes before such a comma'],
  ['<sip:1,2@a>,c', ['<sip:1,2@a>', 'c'], 'may have commas in angle brackets'],
  ['<sip:"1@a>,c', ['<sip:"1@a>', 'c'], 'may have a lone quote in angle brackets'],
  ['a, "b, c', ['a', '"b, c'], 'end with the value when a quote never ends'],
  ['a, <b, c', ['a', '<b, c'], 'end with the value when a bracket never ends'],
  ['*', ['*'], 'may be a star'],
  ['', [], 'are none in an empty value'],
] as const) {
  test(`the elements of ${value || 'nothing'} ${why}`, () => assert.deepEqual(listElements(value), elements))
}

test('the elements of any value are pieces of it, trimmed, in order', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', ' ', ',', '"', '<', '>', '\\', ';', '\t'), maxLength: 40 }),
      (value) => {
        let at = 0
        for (const element of listElements(value)) {
          assert.ok(element !== '' && !/^[ \t]|[ \t]$/.test(element))
          at = value.indexOf(element, at)
          assert.notEqual(at, -1)
          at += element.length
        }
      },
    ),
  )
})

test('plain elements that are joined come apart again', () => {
  const element = fc.stringMatching(/^(?:"[a-z, ]{0,5}" ?)?<sip:[a-z,]{1,5}@h>(?:;[a-z]{1,3}="[a-z,]{0,3}")?$/)
  fc.assert(
    fc.property(fc.array(element), fc.constantFrom(',', ', ', ' ,\t'), (elements, comma) => {
      assert.deepEqual(listElements(elements.join(comma)), elements)
    }),
  )
})
