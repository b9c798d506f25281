// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IpAddress } from '../net/ip.ts'
import type { SipRequest } from '../sip/message.ts'
import { parseMessage } from '../sip/parse.ts'
import { answersFor, type Standpoint } from './answer.ts'

const at: Standpoint = {
  transport: 'UDP',
  localIp: '203.0.113.5' as IpAddress,
  localPort: 5060,
  toTag: '0000000a11223344556677',
}

function request(method: string, lines: readonly string[] = [], uri = 'sip:100@203.0.113.5'): SipRequest {
  const head = ['Via: SIP/2.0/UDP a', 'From: <sip:1@a>', 'To: <sip:100@a>', 'Call-ID: x', `CSeq: 1 ${method}`]
  const text = [`${method} ${uri} SIP/2.0`, ...head, ...lines, '', ''].join('\r\n')
  const message = parseMessage(Buffer.from(text, 'latin1'))
  assert.ok(message.kind === 'request')
  return message
}

/** The full answer, its headers as lines. */
function answered(asked: SipRequest, body = '', standpoint = at) {
  const [full = assert.fail('there is an answer')] = answersFor(asked, body, standpoint)
  return { status: full.status, headers: full.headers.map(([name, value]) => `${name}: ${value}`), body: full.body }
}

const ALLOW =
  'Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, INFO, REFER, MESSAGE, PRACK, UPDATE'

for (const [method, status, headers, why] of [
  [
    'OPTIONS',
    200,
    [ALLOW, 'Accept: application/sdp', 'Supported: replaces, timer'],
    'says what we can do (RFC 3261 §11.2)',
  ],
  ['REGISTER', 200, [], 'has no binding when none was asked for'],
  ['SUBSCRIBE', 200, ['Contact: <sip:100@203.0.113.5:5060>', 'Expires: 3600'], 'has Expires (RFC 6665 §4.2.1.1)'],
  ['PUBLISH', 200, [`SIP-ETag: ${at.toTag}`, 'Expires: 3600'], 'has SIP-ETag and Expires (RFC 3903 §11.3)'],
  ['CANCEL', 200, [], 'is plain'],
  ['BYE', 200, [], 'is plain'],
  ['NOTIFY', 200, [], 'is plain'],
  ['INFO', 200, [], 'is plain'],
  ['REFER', 200, [], 'is plain'],
  ['MESSAGE', 200, [], 'is plain'],
  ['PRACK', 200, [], 'is plain'],
  ['UPDATE', 200, [], 'is plain'],
  ['FROBNICATE', 405, [ALLOW], 'says which methods there are (RFC 3261 §8.2.1)'],
  ['invite', 405, [ALLOW], 'is that to an unknown method: case matters (RFC 3261 §7.1)'],
  ['__proto__', 405, [ALLOW], 'is that to an unknown method, whatever JavaScript calls so'],
] as const) {
  test(`the answer to ${method} ${why}`, () => {
    assert.deepEqual(answered(request(method)), { status, headers, body: null })
  })
}

test('ACK has no answer (RFC 3261 §17.1.1.3)', () => {
  assert.deepEqual(answersFor(request('ACK'), '', at), [])
})

test('when bytes are scarce an answer leaves out what it may, and is never longer', () => {
  for (const method of ['OPTIONS', 'INVITE', 'REGISTER', 'SUBSCRIBE', 'PUBLISH', 'BYE', 'FROBNICATE']) {
    const lengths = answersFor(request(method), '', at).map((answer) => JSON.stringify(answer).length)
    assert.deepEqual(
      lengths,
      lengths.toSorted((one, other) => other - one),
    )
  }
  const headersOf = (method: string) => answersFor(request(method), '', at)[1]?.headers ?? assert.fail()
  assert.deepEqual(headersOf('OPTIONS'), [])
  assert.deepEqual(headersOf('INVITE'), [['Contact', '<sip:100@203.0.113.5:5060>']], 'a dialog needs its Contact')
  assert.deepEqual(
    headersOf('FROBNICATE').map(([name]) => name),
    ['Allow'],
    'a 405 needs its Allow',
  )
})

test('an INVITE that cannot be answered with a session is answered busy, which is final too', () => {
  const last = answersFor(request('INVITE'), '', at).at(-1)
  assert.deepEqual(last, { status: 486, headers: [], body: null })
})

test('an INVITE is answered with our Contact, every Record-Route in order, and a session', () => {
  const routes = ['Record-Route: <sip:p1;lr>, <sip:p2;lr>', 'Record-Route: <sip:p3;lr>']
  const { status, headers, body } = answered(request('INVITE', routes))
  assert.equal(status, 200)
  assert.deepEqual(headers, [...routes, 'Contact: <sip:100@203.0.113.5:5060>', ALLOW, 'Supported: replaces, timer'])
  assert.equal(body?.type, 'application/sdp')
})

test('a SUBSCRIBE repeats every Record-Route too (RFC 3261 §12.1.1)', () => {
  assert.equal(answered(request('SUBSCRIBE', ['Record-Route: <sip:p1;lr>'])).headers[0], 'Record-Route: <sip:p1;lr>')
})

for (const [uri, transport, localIp, contact, why] of [
  ['sip:+4650072@a', 'UDP', '203.0.113.5', '<sip:+4650072@203.0.113.5:5060>', 'is the number called, at our address'],
  ['sip:100@a', 'TCP', '203.0.113.5', '<sip:100@203.0.113.5:5060;transport=tcp>', 'names TCP'],
  ['sip:100@a', 'TLS', '203.0.113.5', '<sip:100@203.0.113.5:5060;transport=tls>', 'names TLS'],
  ['sip:100@a', 'UDP', '2001:db8::5', '<sip:100@[2001:db8::5]:5060>', 'has an IPv6 address in brackets'],
  ['tel:+46-500', 'UDP', '203.0.113.5', '<sip:+46500@203.0.113.5:5060>', 'has the number of a tel: URI'],
  ['sip:a', 'UDP', '203.0.113.5', '<sip:203.0.113.5:5060>', 'has no user when nobody was called'],
  ['sip:*72#1@a', 'UDP', '203.0.113.5', '<sip:203.0.113.5:5060>', 'has no # in the user, which the grammar forbids'],
  ['sip:"><x@a', 'UDP', '203.0.113.5', '<sip:203.0.113.5:5060>', 'has no user that could break out of it'],
  [`sip:${'1'.repeat(65)}@a`, 'UDP', '203.0.113.5', '<sip:203.0.113.5:5060>', 'has no user of more than 64 characters'],
  ['nobody:knows', 'UDP', '203.0.113.5', '<sip:203.0.113.5:5060>', 'has no user of an unknown scheme'],
] as const) {
  test(`our Contact for ${uri.slice(0, 20)} over ${transport} at ${localIp} ${why}`, () => {
    const { headers } = answered(request('INVITE', [], uri), '', { ...at, transport, localIp: localIp as IpAddress })
    assert.ok(headers.includes(`Contact: ${contact}`), headers.join('\n'))
  })
}

for (const [lines, bindings, why] of [
  [['Contact: <sip:1@a>'], ['<sip:1@a>;expires=3600'], 'has an hour when no time was asked for (RFC 3261 §10.2.1.1)'],
  [['Contact: <sip:1@a>', 'Expires: 60'], ['<sip:1@a>;expires=60'], 'has the time of Expires'],
  [['Contact: <sip:1@a>;Expires=30', 'Expires: 60'], ['<sip:1@a>;expires=30'], 'has its own time first'],
  [['Contact: <sip:1@a>;expires=99999'], ['<sip:1@a>;expires=3600'], 'has an hour at most'],
  [
    ['Contact: <sip:1@a>;expires=soon', 'Expires: 60'],
    ['<sip:1@a>;expires=3600'],
    'has an hour for a malformed time (§20.10)',
  ],
  [['Contact: <sip:1@a>', 'Expires: -1'], ['<sip:1@a>;expires=3600'], 'has an hour for a malformed Expires (§20.19)'],
  [['Contact: <sip:1@a>;expires=0'], [], 'is gone when its time is 0'],
  [['Contact: <sip:1@a>', 'Expires: 0'], [], 'is gone when Expires is 0'],
  [['Contact: *', 'Expires: 0'], [], 'is gone with all others (§10.2.2)'],
  [['Contact: <sip:1@a;expires=5>'], ['<sip:1@a;expires=5>;expires=3600'], 'keeps the parameters of its URI'],
  [['Contact: sip:1@a;q=0.5'], ['<sip:1@a>;expires=3600'], 'stands in brackets, without other parameters'],
  [
    ['Contact: "x, y" <sip:1@a>,<tel:+1>', 'm: <sips:2@a>'],
    ['<sip:1@a>;expires=3600', '<tel:+1>;expires=3600', '<sips:2@a>;expires=3600'],
    'stands beside the others, in order',
  ],
  [['Contact: None'], [], 'is none when svmap says None'],
  [['Contact: <http://a>, <sip:1@a'], [], 'is none when it is no URI of a phone'],
] as const) {
  test(`the binding of ${lines.join(' and ')} ${why}`, () => {
    assert.deepEqual(
      answered(request('REGISTER', lines)).headers,
      bindings.map((binding) => `Contact: ${binding}`),
    )
  })
}

for (const [lines, seconds] of [
  [['Expires: 60'], 60],
  [['Expires: 86400'], 3600],
  [['Expires: never'], 3600],
  [['Expires: 0'], 0],
] as const) {
  test(`a SUBSCRIBE with ${lines} is granted ${seconds} s`, () => {
    assert.ok(answered(request('SUBSCRIBE', lines)).headers.includes(`Expires: ${seconds}`))
  })
}

const OFFER = 'v=0\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8 0\r\n'
const OURS = 'm=audio 10020 RTP/AVP 0' // the To-tag begins with 0x0a: port 10000 + 2 × 10

for (const [lines, body, stream, why] of [
  [['Content-Type: application/sdp'], OFFER, 'm=audio 10020 RTP/AVP 8', 'answers the offer'],
  [
    ['c: APPLICATION/SDP;charset=utf-8'],
    OFFER,
    'm=audio 10020 RTP/AVP 8',
    'answers an offer with parameters to its type',
  ],
  [[], '', OURS, 'is our offer when there was none (RFC 3261 §13.3.1.4)'],
  [['Content-Type: application/sdp'], 'no sdp', OURS, 'is our offer when the body is no offer'],
  [['Content-Type: text/plain'], OFFER, OURS, 'is our offer when the body is something else'],
  [['Content-Type: application/sdpx'], OFFER, OURS, 'is our offer when the type only begins like SDP'],
] as const) {
  test(`the session of an INVITE with “${lines.join('') || 'no body'}” ${why}`, () => {
    const { body: session } = answered(request('INVITE', lines), body)
    assert.ok(session !== null)
    assert.ok(session.text.split('\r\n').includes(stream), session.text)
  })
}
