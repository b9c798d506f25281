// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { writeTokenShape } from './token-shape.ts'

/** The shape of a word, also where it stands between others. */
function tokenShape(token: string): string {
  const room = Buffer.alloc(20)
  const end = writeTokenShape(room, 0, Buffer.from(token, 'latin1'), 0, token.length)
  const again = writeTokenShape(room, end, Buffer.from(`0a${token}-Z`, 'latin1'), 2, 2 + token.length)
  assert.equal(room.toString('latin1', end, again), room.toString('latin1', 0, end))
  return room.toString('latin1', 0, end)
}

for (const [token, shape, why] of [
  ['', '-', 'is nothing'],
  ['1', 'x1', 'is a short number'],
  ['4294967295', 'x1', 'is as long as a number of 32 bits gets'],
  ['09a072b2', 'x1', 'is a short number in the other base'],
  ['dec9efa8195d3424', 'x2', 'is a number of 64 bits'],
  ['192651263034033884187279', 'd3', 'is too long for a hexadecimal number without a letter'],
  ['897b2a55c16140a97dab4273ac879fb0', 'x3', 'is a long hexadecimal number'],
  ['s5ibwqxo', 'a1', 'has letters beyond f'],
  ['17391SIPpTag001', 'a2', 'is one word'],
  ['kWd3BXlJ0SxbiIPv5J-5dw..', 'a3', 'mixes capitals and small letters, so its separators are drawn too'],
  ['~3I3SLROQ', 'a1', 'has a tilde for a letter'],
  ['.09a072b2', '_x1', 'begins with a separator'],
  ['-4711', '-x1', 'begins with a dash'],
  ['-17391-1-0', '-x-x-x', 'has parts'],
  ['-524287-1---38f41463c500d63e', '-x-x---x', 'has empty parts'],
  ['-d87543-987333414-1--d87543-', '-x-x-x--', 'has more parts than are shown'],
  ['1102983-558-23014', 'x-x-x', 'has parts from the start'],
  ['3130300133353835323130393138', 'v', 'is text in hexadecimal with a 01'],
  ['3130300233353835323130393138', 'd3', 'is text without the 01'],
  ['546601473263493027332320', 'd3', 'is a decimal number that happens to have a 01'],
  ['313030013', 'x1', 'is too short to say'],
  ['-', '-', 'is only a separator'],
  ['\u0000\u00ff', '__', 'is nothing that a token may hold'],
] as const) {
  test(`the shape of ${JSON.stringify(token)} is ${shape}: it ${why}`, () => assert.equal(tokenShape(token), shape))
}

test('no token makes a long shape, or one with its own text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      assert.match(tokenShape(text), /^[adxv123_-]{1,8}$/)
    }),
  )
})

for (const [name, drawn, shape] of [
  ['of 32 bits in decimal', fc.nat(0xffffffff).map(String), 'x1'],
  ['of 32 bits in hexadecimal', fc.nat(0xffffffff).map((number) => number.toString(16)), 'x1'],
  ['of 64 bits in hexadecimal', hexadecimal(16), 'x2'],
  ['of 128 bits in hexadecimal', fc.uuid().map((uuid) => `a${uuid.replaceAll('-', '').slice(1)}`), 'x3'],
] as const) {
  test(`every number ${name} has one shape`, () => {
    fc.assert(fc.property(drawn, (text) => assert.equal(tokenShape(text), shape)))
  })
}

/** Without 01, which once in some ten thousand draws makes text of a number. */
function hexadecimal(digits: number): fc.Arbitrary<string> {
  return fc.stringMatching(new RegExp(`^[2-9a-f]{${digits}}$`))
}
