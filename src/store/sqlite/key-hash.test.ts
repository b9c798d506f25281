// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKeyHash } from './key-hash.ts'

// vectors.h of https://github.com/veorq/SipHash, `vectors_hsip32`: key 00..07, message i is the bytes 00..i-1.
const VECTORS = [
  'a9359f5b',
  '27475ab8',
  'fa62a603',
  '8afee704',
  '2a6e4689',
  'c5fab669',
  '5863fc23',
  '8bcf63c5',
  'd0b8848f',
  'f806e779',
  '94b07934',
  '08083050',
  '57f0872f',
  '77e663ff',
  'd6fff87c',
  '74fe2b97',
  'd9b5ac84',
  'c474645b',
] as const

for (const [length, vector] of VECTORS.entries()) {
  test(`the hash of ${length} bytes is that of the reference implementation`, () => {
    const text = String.fromCharCode(...Array.from({ length }, (_, code) => code))
    const out = Buffer.alloc(4)
    out.writeUInt32LE(createKeyHash('0001020304050607')(text))
    assert.equal(out.toString('hex'), vector)
  })
}

test('another key gives another hash, and any text has one', () => {
  const [one, other] = [createKeyHash('0001020304050607'), createKeyHash('0001020304050608')]
  for (const text of ['100', '198.51.100.7', 'ü', '😀 and more', '\ud800']) {
    assert.notEqual(one(text), other(text))
    assert.ok(Number.isInteger(one(text)) && one(text) >= 0 && one(text) < 2 ** 32)
  }
  assert.notEqual(one('ü'), one('u'))
})

test('a key that is too short is refused', () => {
  assert.throws(() => createKeyHash('00'), /16 hexadecimal digits/)
})
