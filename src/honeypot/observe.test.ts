// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { BadActorEvent } from '../event/event.ts'
import { bytesOfText } from '../event/text.ts'
import type { IpAddress } from '../net/ip.ts'
import type { Packet } from '../net/packet.ts'
import { parseMessage } from '../sip/parse.ts'
import { createObserver } from './observe.ts'

const observe = createObserver({
  nodeId: 'node-1',
  collectedMethod: 'passive',
  newEventUuid: () => 'event-1',
  timestamp: () => '2025-06-01 12:00:00.000000001',
})

function observed(text: string, packet: Partial<Packet> = {}): BadActorEvent {
  const bytes = Buffer.from(text, 'latin1')
  const parsed = parseMessage(bytes)
  assert.ok(parsed.kind !== 'keep-alive')
  const whole: Packet = {
    transport: 'UDP',
    sourceIp: '192.0.2.1' as IpAddress,
    sourcePort: 5071,
    destinationIp: '203.0.113.5' as IpAddress,
    destinationPort: 5060,
    bytes,
    complete: true,
    done: () => {},
    reply: () => assert.fail('who observes does not answer'),
  }
  return observe({ ...whole, ...packet }, parsed)
}

function request({ uri = 'sip:203.0.113.5', to = '<sip:203.0.113.5>', more = '' }): string {
  return `INVITE ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9\r\nFrom: <sip:666@198.51.100.9>\r\nTo: ${to}\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n${more}\r\n`
}

test('an event says who sent what to whom, when, and to which node', () => {
  const text = request({ uri: 'sip:1@a', to: '<sip:2@a>', more: 'User-Agent: pplsip\r\n' })
  assert.deepEqual(observed(text), {
    origin: 'observed',
    eventUuid: 'event-1',
    timestamp: '2025-06-01 12:00:00.000000001',
    collectedMethod: 'passive',
    transport: 'UDP',
    sourceIp: '192.0.2.1', // the socket's; the message says 198.51.100.9
    sourcePort: 5071,
    destinationIp: '203.0.113.5',
    destinationPort: 5060,
    method: 'INVITE',
    calledNumber: '2',
    requestUser: '1',
    userAgent: 'pplsip',
    sipMessage: text,
    createdByNodeId: 'node-1',
    proof: 'none',
    fault: null,
    fingerprint: 's1.vfticu.-.n.b.-.a1.sn.-', // docs/fingerprints.md reads it part by part
    tool: 'pplsip', // its User-Agent says so
  })
})

for (const [uri, to, calledNumber, requestUser, why] of [
  ['sip:100@a', '<sip:200@a>', '200', '100', 'is the user of To; another one of the Request-URI is kept beside it'],
  ['sip:100@a', '<sip:100@b>', '100', null, 'stands once when both have it'],
  ['sip:100@a', '<sip:%31%30%30@b>', '100', null, 'stands once when both mean the same'],
  ['sip:100@a', '<sip:a>', '100', null, 'is the user of the Request-URI when To has none'],
  ['sip:100@a', '"Bob" <http://a>', '100', null, 'is the user of the Request-URI when To is of another kind'],
  ['sip:100@a', '<sip:200@a', '100', null, 'is the user of the Request-URI when To cannot be read'],
  ['sip:a', '<sip:200@a>', '200', null, 'needs no user in the Request-URI'],
  ['sip:a', '<tel:+1-555>', '+1555', null, 'may be that of a tel: URI'],
  ['sip:a', 'sip:200@a;tag=1', '200', null, 'may stand in a bare URI'],
  ['sip:a', '<sip:a>', null, null, 'is absent when nobody is called'],
  ['sip:a', '<sip:caf\xe9@a>', 'caf\uefe9', null, 'keeps bytes that are not UTF-8'],
  ['sip:a', '<sip:1%00@a>', '1\uef00', null, 'keeps an escaped NUL'],
] as const) {
  test(`the called number of ${uri} to ${to} ${why}`, () => {
    const event = observed(request({ uri, to }))
    assert.deepEqual([event.calledNumber, event.requestUser], [calledNumber, requestUser])
  })
}

test('without a To the called number is that of the Request-URI', () => {
  const event = observed('INVITE sip:100@a SIP/2.0\r\n\r\n')
  assert.deepEqual([event.method, event.calledNumber, event.requestUser], ['INVITE', '100', null])
})

for (const [line, userAgent, why] of [
  ['User-Agent: sipsak 0.9.7', 'sipsak 0.9.7', 'is the header'],
  ['user-agent:a\r\n b', 'a b', 'is one line'],
  ['User-Agent: \xff', '\uefff', 'keeps bytes that are not UTF-8'],
  ['User-Agent: ', null, 'is absent when it is empty'],
  ['X: y', null, 'is absent when there is none'],
  ['Server: x', null, 'is not Server'],
] as const) {
  test(`the user agent of “${line}” ${why}`, () => {
    assert.equal(observed(request({ more: `${line}\r\n` })).userAgent, userAgent)
  })
}

test('a response has an agent, but no method and no called number', () => {
  const event = observed(request({ to: '<sip:1@a>', more: 'User-Agent: x\r\n' }).replace(/^.*/, 'SIP/2.0 200 OK'))
  assert.deepEqual([event.method, event.calledNumber, event.requestUser, event.userAgent], [null, null, null, 'x'])
})

test('what is not SIP is an event all the same, with the reason', () => {
  const event = observed('GET / HTTP/1.1\r\nUser-Agent: curl\r\n\r\n')
  assert.deepEqual([event.method, event.calledNumber, event.userAgent], [null, null, null])
  assert.equal(event.fault, 'not-sip at byte 0: looks like http')
  assert.equal(event.sipMessage, 'GET / HTTP/1.1\r\nUser-Agent: curl\r\n\r\n')
})

test('a malformed request keeps what could be read, and says where it is wrong', () => {
  const text = request({ to: '<sip:200@a>' }).replace('CSeq: 1', 'CSeq: x')
  const event = observed(text)
  assert.deepEqual([event.method, event.calledNumber], ['INVITE', '200'])
  assert.equal(event.fault, `bad-cseq at byte ${text.indexOf('CSeq')}: CSeq is not NUMBER METHOD`)
})

test('a message that a stream cut off says so, unless it has a fault of its own', () => {
  const text = request({})
  const cut = observed(text, { transport: 'TCP', complete: false })
  assert.match(cut.fault ?? '', new RegExp(`^truncated at byte ${text.length}: `))
  const faulty = observed(text.replace('CSeq: 1', 'CSeq: x'), { transport: 'TCP', complete: false })
  assert.match(faulty.fault ?? '', /^bad-cseq at byte \d+: /)
})

for (const [transport, proof, why] of [
  ['UDP', 'none', 'can be forged'],
  ['TCP', 'handshake', 'took an answer from its address'],
  ['TLS', 'handshake', 'took an answer from its address'],
] as const) {
  test(`a ${transport} packet has the proof ${proof}: it ${why}`, () => {
    assert.equal(observed(request({}), { transport }).proof, proof)
  })
}

test('any message comes back whole from its event', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (array) => {
      const bytes = Buffer.concat([Buffer.from(request({ to: '<sip:1@a>' })), Buffer.from(array)])
      const event = observed(bytes.toString('latin1'))
      assert.deepEqual(bytesOfText(event.sipMessage), bytes)
      assert.equal(event.calledNumber, '1')
    }),
  )
})
