// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClientShare } from './client-share.ts'

test('all addresses of one IPv6 /64 have one share, neighbours of IPv4 have one each', () => {
  const share = createClientShare(1, () => false)
  assert.ok(share.take('2001:db8:1:2::1'))
  assert.equal(share.take('2001:db8:1:2:ffff::2'), null)
  assert.ok(share.take('2001:db8:1:3::1'))
  assert.ok(share.take('192.0.2.1'))
  assert.equal(share.take('::ffff:192.0.2.1'), null, 'the same address on a socket of IPv6')
  assert.ok(share.take('192.0.2.2'))
})

test('a place that is given back twice is one place', () => {
  const share = createClientShare(2, () => false)
  const [first, second] = [share.take('192.0.2.1'), share.take('192.0.2.1')]
  first?.()
  first?.()
  assert.ok(share.take('192.0.2.1'))
  assert.equal(share.take('192.0.2.1'), null)
  second?.()
  assert.ok(share.take('192.0.2.1'))
})
