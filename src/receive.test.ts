// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Outcome } from './event/event.ts'
import { type IpAddress, parseIp } from './net/ip.ts'
import type { Packet } from './net/packet.ts'
import { createCounters } from './ops/counters.ts'
import { createReceiver, type ReceiverParts } from './receive.ts'
import { eventOf } from './store/sqlite/fixture.ts'

function packetOf(text: string, reply: Packet['reply'] = () => true): Packet {
  const ip = (address: string): IpAddress => parseIp(address) ?? assert.fail()
  return {
    transport: 'UDP',
    sourceIp: ip('192.0.2.1'),
    sourcePort: 5060,
    destinationIp: ip('127.0.0.1'),
    destinationPort: 5060,
    bytes: Buffer.from(text),
    complete: true,
    done: () => {},
    reply,
  }
}

function receiverWith(parts: Partial<ReceiverParts>) {
  const counters = createCounters()
  const settled: ((outcome: Outcome) => void)[] = []
  const bugs: unknown[] = []
  const receive = createReceiver({
    observe: () => eventOf(),
    respond: () => Buffer.from('reply'),
    publish: (_, onSettled) => settled.push(onSettled),
    counters,
    onBug: (error) => bugs.push(error),
    ...parts,
  })
  return { receive, counters, settled, bugs }
}

test('a reply is sent only when the event is stored, to where the packet came from', () => {
  const { receive, counters, settled } = receiverWith({})
  const sent: string[] = []
  receive(packetOf('OPTIONS sip:1@x SIP/2.0\r\n\r\n', (bytes) => sent.push(bytes.toString()) > 0))
  assert.deepEqual(sent, [])
  settled[0]?.('stored')
  assert.deepEqual(sent, ['reply'])
  assert.equal(counters.get('repliesSent'), 1)
})

test('a reply that the socket does not take is counted', () => {
  const { receive, counters, settled } = receiverWith({})
  receive(packetOf('x', () => false))
  settled[0]?.('stored')
  assert.equal(counters.get('repliesNotSent'), 1)
})

test('a keep-alive is counted and neither stored nor answered', () => {
  const { receive, counters, settled } = receiverWith({})
  for (const text of ['', '\r\n', '\r\n\r\n', '\0\0\0\0']) receive(packetOf(text))
  assert.equal(settled.length, 0)
  assert.equal(counters.get('keepAlives'), 4)
  assert.equal(counters.get('packetsReceived'), 4)
})

test('a passive node answers nothing', () => {
  const { receive, settled } = receiverWith({ respond: null })
  let replies = 0
  receive(packetOf('OPTIONS sip:1@x SIP/2.0\r\n\r\n', () => replies++ >= 0))
  settled[0]?.('stored')
  assert.equal(replies, 0)
})

test('a packet that makes us throw is counted and told, and the next one is received', () => {
  let throwing = true
  const observe = () => {
    if (throwing) throw new Error('bug')
    return eventOf()
  }
  const { receive, counters, bugs, settled } = receiverWith({ observe })
  receive(packetOf('x'))
  throwing = false
  receive(packetOf('x'))
  assert.equal(counters.get('packetsFailed'), 1)
  assert.equal(bugs.length, 1)
  assert.equal(settled.length, 1)
})
