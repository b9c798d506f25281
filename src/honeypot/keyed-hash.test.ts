// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createKeyedHash } from './keyed-hash.ts'

const KEY = new Int32Array([0x1234_5678, -0x0fed_cba9, 0x0bad_cafe, -0x7654_3210])
const { ofBytes, ofText } = createKeyedHash(KEY)

/** One byte of it is another. */
const changed = fc
  .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), fc.integer({ min: 1, max: 255 }))
  .map(([bytes, at, by]) => ({
    bytes,
    other: bytes.map((byte, index) => (index === at % bytes.length ? byte ^ by : byte)),
  }))

const asText = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

test('the same has the same hash, of 53 bits, and what differs in a byte or in its length has another', () => {
  fc.assert(
    fc.property(changed, ({ bytes, other }) => {
      const longer = Uint8Array.from([...bytes, 0])
      for (const hash of [ofBytes, (one: Uint8Array) => ofText(asText(one))]) {
        assert.equal(hash(bytes), hash(Uint8Array.from(bytes)))
        assert.ok(Number.isSafeInteger(hash(bytes)))
        assert.equal(new Set([bytes, other, longer].map((one) => hash(one))).size, 3)
      }
    }),
  )
})

test('what stands in front counts, and so does where it ends', () => {
  assert.notEqual(ofText('a', ofText('b')), ofText('a', ofText('c')))
  assert.notEqual(ofText('a', ofText('bc')), ofText('ab', ofText('c')))
  assert.notEqual(ofBytes(Buffer.from('a'), ofText('b')), ofBytes(Buffer.from('a')))
})

test('another key makes other hashes, whichever of its numbers differs', () => {
  const hashes = [...KEY].map((_, index) =>
    createKeyedHash(KEY.map((number, at) => (at === index ? number ^ 0x100 : number))).ofText('OPTIONS'),
  )
  assert.equal(new Set([ofText('OPTIONS'), ...hashes]).size, 5)
})

test('texts that a counter tells apart have hashes that no bit tells apart', () => {
  const count = 20_000
  const ones = new Array<number>(53).fill(0)
  const seen = new Set<number>()
  for (let number = 0; number < count; number++) {
    const hash = ofText(`z9hG4bK-${number}`)
    seen.add(hash)
    for (let bit = 0; bit < 53; bit++) ones[bit] = (ones[bit] ?? 0) + (Math.floor(hash / 2 ** bit) % 2)
  }
  assert.equal(seen.size, count)
  // Six standard deviations of a fair coin: 6 × √20,000 / 2.
  for (const [bit, sum] of ones.entries()) assert.ok(Math.abs(sum - count / 2) < 424, `bit ${bit} is one ${sum} times`)
})
