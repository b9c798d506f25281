// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readTokenTemplate } from './token.ts'

const BYTES = textOf(Array.from({ length: 64 }, (_, index) => index * 37))

function textOf(bytes: readonly number[] | Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

for (const [template, shape, bits] of [
  ['as{hex:24}', /^as[0-9a-f]{24}$/, 96],
  ['{HEX:8}-{HEX:16}', /^[0-9A-F]{8}-[0-9A-F]{16}$/, 96],
  ['{base64:16}', /^[A-Za-z0-9_-]{16}$/, 96],
  ['{uuid}', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 122],
  ['{time}/{hex:32}', /^1700000000\/[0-9a-f]{32}$/, 128],
  ['plain', /^plain$/, 0],
] as const) {
  test(`a token of ${template} looks like it and has ${bits} bits`, () => {
    const read = readTokenTemplate(template)
    assert.equal(read.bits, bits)
    assert.match(read.write(BYTES, 1_700_000_000), shape)
  })
}

for (const [template, why] of [
  ['{hex}', 'without a count'],
  ['{hex:0}', 'of no characters'],
  ['{hex:100}', 'of too many characters'],
  ['{constructor:3}', 'of an alphabet that is none'],
  ['a{', 'with a brace that does not close'],
  ['a}', 'with a brace that was not opened'],
] as const) {
  test(`a template ${why} is refused`, () => assert.throws(() => readTokenTemplate(template), RangeError))
}

test('the same bytes make the same token, and one other byte makes another', () => {
  const { write } = readTokenTemplate('{alnum:10}{dec:10}')
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.nat(19), (bytes, at) => {
      const one = Buffer.from(bytes)
      const other = Buffer.from(bytes)
      other[at] = ((other[at] ?? 0) + 1) % 256
      assert.equal(write(textOf(one), 0), write(textOf(bytes), 0))
      assert.notEqual(write(textOf(one), 0), write(textOf(other), 0))
    }),
  )
})

test('too few bytes are no token', () => {
  assert.throws(() => readTokenTemplate('{hex:32}').write('8 bytes.', 0), RangeError)
})
