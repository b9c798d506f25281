// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type IpAddress, parseIp } from '../net/ip.ts'
import { CONNECTION_LIMITS, createDoorkeeper } from './limits.ts'

const ip = (text: string): IpAddress => parseIp(text) ?? assert.fail(text)

const stays = () => assert.fail('nobody has to give way')

test('all addresses of one IPv6 /64 share the places of one source, and give them back', () => {
  const doorkeeper = createDoorkeeper({ ...CONNECTION_LIMITS, maxPerSource: 2 })
  const first = doorkeeper.admit(ip('2001:db8:1:2::1'), stays)
  assert.ok(first !== null && doorkeeper.admit(ip('2001:db8:1:2::2'), stays) !== null)
  assert.equal(doorkeeper.admit(ip('2001:db8:1:2:ffff::3'), stays), null)
  assert.ok(doorkeeper.admit(ip('2001:db8:1:3::1'), stays) !== null)
  first.release()
  first.release() // and no more than its own
  assert.ok(doorkeeper.admit(ip('2001:db8:1:2::4'), stays) !== null)
  assert.equal(doorkeeper.admit(ip('2001:db8:1:2::5'), stays), null)
})

test('neighbours of IPv4 are different sources', () => {
  const doorkeeper = createDoorkeeper({ ...CONNECTION_LIMITS, maxPerSource: 1 })
  assert.ok(doorkeeper.admit(ip('192.0.2.1'), stays) !== null)
  assert.ok(doorkeeper.admit(ip('192.0.2.2'), stays) !== null)
})

test('where all places are taken, who has brought nothing for longest gives way, and nobody to one of his own', () => {
  const doorkeeper = createDoorkeeper({ ...CONNECTION_LIMITS, maxPerSource: 1, maxTotal: 3 })
  const gone: number[] = []
  const admit = (host: number) => doorkeeper.admit(ip(`192.0.2.${host}`), () => gone.push(host))
  const [first] = [admit(1), admit(2), admit(3)]
  assert.equal(admit(3), null)
  assert.deepEqual(gone, [])
  first?.spoke()
  admit(4)
  const fifth = admit(5)
  assert.deepEqual(gone, [2, 3])
  assert.ok(admit(3) !== null, 'who gave way has his places back')
  assert.deepEqual(gone, [2, 3, 4], 'who has spoken stays while there are others')
  fifth?.spoke()
  first?.spoke()
  for (const host of [6, 7, 8]) admit(host)?.spoke()
  assert.deepEqual(gone, [2, 3, 4, 3, 5, 1], 'of those that have spoken, who has not for longest')
})
