// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { randomFillSync } from 'node:crypto'
import { test } from 'node:test'
import { createUuidv7 } from './uuid.ts'

const UUIDV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('the example of RFC 9562 appendix A.6 comes out of its time and its random bits', () => {
  const bits = Buffer.from('0cc318c4dc0c0c07398f', 'hex')
  const uuid = createUuidv7({
    wallMs: () => 0x017f22e279b0 + 0.7,
    fillRandom: (pool) => Buffer.from(pool.buffer).fill(bits),
  })
  assert.equal(uuid(), '017f22e2-79b0-7cc3-98c4-dc0c0c07398f')
})

test('no two are the same, and all have their form, in whatever millisecond', () => {
  let ms = 1_760_000_000_000
  const uuid = createUuidv7({ wallMs: () => ms, fillRandom: randomFillSync })
  const made = Array.from({ length: 5_000 }, (_, index) => {
    if (index % 7 === 0) ms += 1
    return uuid()
  })
  assert.equal(new Set(made).size, made.length)
  for (const one of made) assert.match(one, UUIDV7)
})

test('every random bit is both zero and one at times', () => {
  const uuid = createUuidv7({ wallMs: () => 0, fillRandom: randomFillSync })
  const bits = Array.from({ length: 200 }, () => BigInt(`0x${uuid().replaceAll('-', '')}`))
  const both = bits.reduce((one, other) => one | other) ^ bits.reduce((one, other) => one & other)
  assert.equal(both.toString(16).padStart(32, '0'), '0000000000000fff3fffffffffffffff') // 12 and 62 of 128 bits
})

test('of two that are made a millisecond apart the later one sorts behind', () => {
  let ms = 0xffff_ffff
  const uuid = createUuidv7({ wallMs: () => ms, fillRandom: randomFillSync })
  const first = uuid()
  ms += 1
  assert.ok(first < uuid())
})
