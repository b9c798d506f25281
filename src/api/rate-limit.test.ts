// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRangeCheck } from '../net/ip.ts'
import { createRateLimit } from './rate-limit.ts'

const LIMITS = { perSecond: 2, burst: 4, clients: 8 }

function fixture() {
  let nowMs = 0
  const limit = createRateLimit(createRangeCheck(['192.0.2.0/28', '2001:db8:1::/48']), LIMITS, () => nowMs)
  return {
    ...limit,
    /** How many of `count` requests at once are taken. */
    taken: (address: string, count = 10) =>
      Array.from({ length: count }, () => limit.take(address)).filter((waitS) => waitS === 0).length,
    later: (ms: number) => {
      nowMs += ms
    },
  }
}

for (const [address, taken] of [
  ['127.0.0.1', 10],
  ['127.8.9.10', 10],
  ['::1', 10],
  ['::ffff:127.0.0.1', 10],
  ['192.0.2.15', 10],
  ['::ffff:192.0.2.15', 10],
  ['2001:db8:1::9', 10],
  ['192.0.2.16', 4],
  ['::ffff:192.0.2.16', 4],
  ['2001:db8:2::9', 4],
] as const) {
  test(`of ten requests at once from ${address} ${taken} are answered`, () => {
    assert.equal(fixture().taken(address), taken)
  })
}

test('a client gets its requests back with time, and is told when the next one may come', () => {
  const { taken, take, later, refused } = fixture()
  assert.equal(taken('192.0.2.99'), 4)
  assert.equal(take('192.0.2.99'), 1)
  assert.equal(refused(), 7)
  later(1_000)
  assert.equal(taken('192.0.2.99'), 2)
  later(60_000)
  assert.equal(taken('192.0.2.99'), 4)
})

test('addresses of one /64 are one client, those of the next are another', () => {
  const { taken } = fixture()
  assert.equal(taken('2001:db8:2::1', 3) + taken('2001:db8:2:0:ffff::2', 3), 4)
  assert.equal(taken('2001:db8:2:1::1'), 4)
})

test('of more clients than fit, who asked longest ago is forgotten', () => {
  const { taken } = fixture()
  assert.equal(taken('192.0.2.100'), 4)
  for (let host = 101; host < 107; host++) taken(`192.0.2.${host}`)
  assert.equal(taken('192.0.2.100'), 0) // still there, and the latest now
  for (let host = 107; host < 114; host++) taken(`192.0.2.${host}`)
  assert.equal(taken('192.0.2.100'), 0)
  for (let host = 114; host < 122; host++) taken(`192.0.2.${host}`)
  assert.equal(taken('192.0.2.100'), 4)
})

test('whenever a client asks, it gets no more than the burst and what time has brought', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3_000), { maxLength: 60 }), (pauses) => {
      const { take, later } = fixture()
      let taken = 0
      for (const pause of pauses) {
        later(pause)
        if (take('192.0.2.99') === 0) taken++
      }
      const passedMs = pauses.reduce((sum, pause) => sum + pause, 0)
      assert.ok(taken <= LIMITS.burst + (passedMs / 1_000) * LIMITS.perSecond + 1e-6)
    }),
  )
})
