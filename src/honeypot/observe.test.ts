// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { BadActorEvent, EventCredentials } from '../event/event.ts'
import { bytesOfText } from '../event/text.ts'
import type { Packet } from '../net/packet.ts'
import { parseMessage } from '../sip/parse.ts'
import { createTestPbx, packetOf } from './fixture-pbx.ts'
import { createObserver, type ObserverOptions } from './observe.ts'

function observed(text: string, from: Partial<Packet> = {}, options: Partial<ObserverOptions> = {}): BadActorEvent {
  const observe = createObserver({
    nodeId: 'node-1',
    collectedMethod: 'passive',
    newEventUuid: () => 'event-1',
    timestamp: () => '2025-06-01 12:00:00.000000001',
    shownBy: () => null,
    captureCredentials: () => null,
    ...options,
  })
  const packet = packetOf(text, from)
  const parsed = parseMessage(packet.bytes)
  assert.ok(parsed.kind !== 'keep-alive')
  return observe(packet, parsed)
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
    proofBy: null,
    credentials: null,
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

for (const [transport, shown, proof, proofBy, why] of [
  ['UDP', null, 'none', null, 'can be forged'],
  ['UDP', 'to-tag', 'echo', 'to-tag', 'has the tag that only our answer held'],
  ['UDP', 'nonce', 'echo', 'nonce', 'has the nonce that only our challenge held'],
  ['UDP', 'contact', 'echo', 'contact', 'goes to what only our Contact held'],
  ['TCP', null, 'handshake', 'tcp', 'took an answer from its address'],
  ['TLS', null, 'handshake', 'tls', 'took an answer from its address'],
  ['TCP', 'to-tag', 'handshake', 'tcp', 'proves no more by an echo'],
  ['TLS', 'nonce', 'handshake', 'tls', 'proves no more by an echo'],
] as const) {
  test(`a ${transport} packet that shows ${shown ?? 'nothing'} has the proof ${proof}: it ${why}`, () => {
    const event = observed(request({}), { transport }, { shownBy: () => shown })
    assert.deepEqual([event.proof, event.proofBy], [proof, proofBy])
  })
}

const CREDENTIALS: EventCredentials = {
  user: '100',
  realm: 'pbx',
  nonce: 'n',
  response: 'r',
  algorithm: 'MD5',
  password: '1234',
}

test('the credentials of a request are in its event, and their nonce may prove its source', () => {
  const asked: (string | null)[] = []
  const shownBy = (_: Packet, __: unknown, nonce: string | null) => {
    asked.push(nonce)
    return null
  }
  assert.equal(observed(request({}), {}, { shownBy, captureCredentials: () => CREDENTIALS }).credentials, CREDENTIALS)
  assert.equal(observed(request({}), {}, { shownBy }).credentials, null)
  assert.deepEqual(asked, ['n', null])
})

test('the password is looked for with the body as it came, as far as Content-Length says', () => {
  const bodies: Buffer[] = []
  const captureCredentials: ObserverOptions['captureCredentials'] = (_, body) => {
    bodies.push(body)
    return null
  }
  observed(`${request({ more: 'Content-Length: 3\r\n' })}\xff\r\nmore`, {}, { captureCredentials })
  assert.deepEqual(bodies, [Buffer.from([0xff, 0x0d, 0x0a])])
})

for (const [text, why] of [
  [request({}).replace(/^.*/, 'SIP/2.0 200 OK'), 'a response'],
  ['GET / HTTP/1.1\r\n\r\n', 'what is not SIP'],
] as const) {
  test(`${why} has no credentials and proves nothing`, () => {
    const shownBy = () => assert.fail('nothing is asked of it')
    const captureCredentials = () => assert.fail('nothing is read in it')
    const event = observed(text, {}, { shownBy, captureCredentials })
    assert.deepEqual([event.proof, event.proofBy, event.credentials], ['none', null, null])
  })
}

test('a malformed request may prove its source and have credentials all the same', () => {
  const text = request({}).replace('CSeq: 1', 'CSeq: x')
  const event = observed(text, {}, { shownBy: () => 'nonce', captureCredentials: () => CREDENTIALS })
  assert.match(event.fault ?? '', /^bad-cseq /)
  assert.deepEqual([event.proof, event.credentials], ['echo', CREDENTIALS])
})

test('who acknowledges a call with our tag is proven; with another Call-ID or from another port it proves nothing', () => {
  const pbx = createTestPbx()
  const invite = request({ uri: 'sip:00441632960083@203.0.113.5', more: `X: ${'x'.repeat(400)}\r\n` })
  const { event, replies } = pbx.receive(invite)
  const to = /^To: (.*)\r$/m.exec(replies[0] ?? '')?.[1] ?? assert.fail(replies[0])
  const ack = request({ uri: 'sip:203.0.113.5:5060', to }).replaceAll('INVITE', 'ACK')
  const acknowledged = pbx.receive(ack).event
  const elsewhere = pbx.receive(ack.replace('Call-ID: x', 'Call-ID: y')).event
  const forged = pbx.receive(ack, { sourcePort: 5072 }).event
  assert.deepEqual(
    [event, acknowledged, elsewhere, forged].map((seen) => [seen?.proof, seen?.proofBy]),
    [
      ['none', null],
      ['echo', 'to-tag'],
      ['none', null],
      ['none', null],
    ],
  )
  pbx.stop()
})

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
