// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type IpAddress, parseIp } from '../net/ip.ts'
import type { Outgoing } from '../net/message-batch.ts'
import { returnPath } from '../net/packet.ts'
import { type SocketAddress, socketAddressBytes } from '../net/socket-address.ts'
import { createEndpoints, Datagram } from './udp-endpoints.ts'

const ip = (text: string): IpAddress => parseIp(text) ?? assert.fail(text)
const addressOf = (text: string, place: number): SocketAddress => ({
  ip: ip(text),
  raw: socketAddressBytes(ip(text), 0),
  place,
})
const [ALICE, BOB, OURS, OURS_TOO] = ['192.0.2.1', '192.0.2.2', '198.51.100.1', '198.51.100.2'].map(addressOf)
assert.ok(ALICE && BOB && OURS && OURS_TOO)

function endpoints({ isWildcard = true } = {}) {
  const sent: Outgoing[] = []
  let facing = ip('203.0.113.1')
  const find = createEndpoints({
    destinationPort: 5060,
    destinationIp: isWildcard ? null : ip('198.51.100.9'),
    destinationFor: () => facing,
    send: (reply) => sent.push(reply) > 0,
  })
  return {
    find,
    sent,
    faces: (text: string) => {
      facing = ip(text)
    },
  }
}

test('one object stands for a source for as long as its port, and our address, stay the same', () => {
  const { find } = endpoints()
  const first = find(ALICE, 5071, OURS)
  assert.equal(find(ALICE, 5071, OURS), first)
  const another = [find(ALICE, 5072, OURS), find(BOB, 5072, OURS), find(ALICE, 5072, OURS_TOO)]
  const { sourceIp, sourcePort, destinationIp } = first
  assert.deepEqual([sourceIp, sourcePort, destinationIp], [ALICE.ip, 5071, OURS.ip])
  assert.deepEqual(
    another.map(({ sourceIp, sourcePort, destinationIp }) => [sourceIp, sourcePort, destinationIp]),
    [
      [ALICE.ip, 5072, OURS.ip],
      [BOB.ip, 5072, OURS.ip],
      [ALICE.ip, 5072, OURS_TOO.ip],
    ],
  )
})

test('another address at the same place of a book that began anew is another source', () => {
  const { find } = endpoints()
  find(ALICE, 5071, OURS)
  assert.equal(find({ ...BOB, place: ALICE.place }, 5071, OURS).sourceIp, BOB.ip)
})

test('an address of ours that the kernel did not say is looked up each time', () => {
  const { find, faces } = endpoints()
  assert.equal(find(ALICE, 5071, null).destinationIp, '203.0.113.1')
  faces('203.0.113.2')
  assert.equal(find(ALICE, 5071, null).destinationIp, '203.0.113.2')
  const { find: onOne } = endpoints({ isWildcard: false })
  assert.equal(onOne(ALICE, 5071, null).destinationIp, '198.51.100.9')
})

test('an answer goes to where the packet came from, from the address that it was sent to, also when only that is kept', () => {
  const { find, sent } = endpoints()
  const packet = new Datagram(find(ALICE, 5071, OURS), Buffer.from('x'))
  const bytes = Buffer.from('answer')
  assert.equal(packet.reply(bytes) && returnPath(packet).reply(bytes), true)
  assert.deepEqual(sent, [
    { bytes, to: ALICE, port: 5071, from: OURS },
    { bytes, to: ALICE, port: 5071, from: OURS },
  ])
})
