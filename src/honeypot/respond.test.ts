// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Packet } from '../net/packet.ts'
import { headerValue } from '../sip/message.ts'
import { parseMessage } from '../sip/parse.ts'
import { ASTERISK, address, createTestPbx, type TestPbx, type TestPbxOptions } from './fixture-pbx.ts'
import { authorization, headerOf, nonceOf, prove, request, statusOf, toTagOf } from './fixture-request.ts'
import { createPersona, PERSONA_NAMES } from './persona.ts'

const OPTIONS = request('OPTIONS')
const SIX_MINUTES_MS = 6 * 60_000
const KNOWN = 'sip:100@203.0.113.5'
const UNKNOWN = 'sip:999@203.0.113.5'

/** The status of the one answer to this, from a source of its own account; null for silence. */
function answered(text: string, options: TestPbxOptions = {}, from: Partial<Packet> = {}): number | null {
  const { replies } = createTestPbx(options).receive(text, from)
  assert.ok(replies.length <= 1)
  return statusOf(replies[0])
}

for (const [text, why] of [
  [OPTIONS.replace(/^.*/, 'SIP/2.0 200 OK'), 'a response'],
  [OPTIONS.replace(/^.*/, 'SIP/2.0 200 OK').replace('CSeq: 1', 'CSeq: x'), 'a malformed response'],
  [request('ACK'), 'an ACK (RFC 3261 §17.1.1.3)'],
  [request('ACK', { toTag: 'x' }), 'an ACK with a tag'],
  [request('ACK', { lines: ['Require: x'] }), 'an ACK with what we do not understand (RFC 3261 §8.2.2.3)'],
  [request('ACK').replace('CSeq: 1', 'CSeq: x'), 'a malformed ACK'],
  [OPTIONS.replace('Via:', 'X:'), 'a request without Via'],
  [OPTIONS.replace('Call-ID:', 'X:'), 'a request without Call-ID'],
  [OPTIONS.replace('CSeq:', 'X:'), 'a request without CSeq'],
  [OPTIONS.replace('Call-ID: x', 'Call-ID:'), 'a request with an empty Call-ID'],
  [OPTIONS.replace(/Via: .*/, 'Via:'), 'a request with an empty Via'],
  ['hello\r\n', 'garbage'],
  ['\x16\x03\x01\x00\x05hello', 'TLS'],
  ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP'],
  ['OPTIONS rtsp://a RTSP/1.0\r\nCSeq: 1\r\n\r\n', 'RTSP'],
  [' ', 'white space'],
] as const) {
  test(`${why} is met with silence, which costs no budget and is no suppressed reply`, () => {
    const budget = { verdict: () => assert.fail('asked'), charge: () => assert.fail('charged') }
    const pbx = createTestPbx({ budget })
    for (const sourcePort of [5071, 53]) assert.deepEqual(pbx.receive(text, { sourcePort }).replies, [])
    assert.deepEqual(pbx.suppressed, [])
  })
}

test('a request from where no answer may go is an event all the same, and counted silence', () => {
  const pbx = createTestPbx()
  const { event, replies } = pbx.receive(OPTIONS, { sourcePort: 53 })
  assert.deepEqual([event?.method, replies, pbx.suppressed], ['OPTIONS', [], ['forbidden-source']])
  pbx.receive(OPTIONS, { sourcePort: 53 })
  assert.equal(pbx.sent.length, 0)
})

test('an address that the operator wants left alone gets nothing for whatever it sends and shows', () => {
  const pbx = createTestPbx({ sending: { isNeverAnswered: () => true } })
  for (const transport of ['UDP', 'TCP', 'TLS'] as const) {
    for (const method of ['OPTIONS', 'INVITE', 'REGISTER', 'BYE']) pbx.receive(request(method), { transport })
  }
  assert.deepEqual(pbx.sent, [])
  assert.deepEqual(pbx.suppressed, new Array(12).fill('forbidden-source'))
})

for (const [text, status, why] of [
  [OPTIONS, 200, 'OPTIONS about an outside number'],
  [request('OPTIONS', { uri: UNKNOWN }), 200, 'OPTIONS about a user that does not exist'],
  [request('OPTIONS', { uri: 'sip:203.0.113.5' }), 200, 'OPTIONS about nobody'],
  [request('REGISTER', { uri: KNOWN }), 401, 'REGISTER of a user that exists'],
  [request('REGISTER', { uri: UNKNOWN }), 404, 'REGISTER of a user that does not exist'],
  [request('REGISTER', { uri: 'sip:203.0.113.5', toUser: '104' }), 401, 'REGISTER is about the user of To'],
  [request('REGISTER', { uri: KNOWN }).replace(/^To:.*$/m, 'To: <http://a>'), 404, 'REGISTER of nobody'],
  [request('INVITE', { uri: KNOWN }), 200, 'INVITE of a user that exists'],
  [request('INVITE', { uri: UNKNOWN }), 404, 'INVITE of a short number that does not exist'],
  [request('INVITE', { uri: 'sip:%31234567@a' }), 200, 'INVITE of an outside number, escaped'],
  [request('INVITE', { uri: 'tel:1-2-3' }), 404, 'INVITE of a short number as tel: URI'],
  [request('INVITE', { uri: 'sip:1234567@a' }), 200, 'INVITE of seven digits'],
  [request('INVITE', { uri: 'sip:203.0.113.5' }), 200, 'INVITE of nobody'],
  [request('INVITE', { body: 'hi', lines: ['Content-Type: text/plain'] }), 415, 'INVITE with a body that is no SDP'],
  [request('SUBSCRIBE', { uri: KNOWN }), 401, 'SUBSCRIBE to a user that exists'],
  [request('PUBLISH', { uri: KNOWN }), 401, 'PUBLISH of a user that exists'],
  [request('MESSAGE', { uri: KNOWN }), 401, 'MESSAGE to a user that exists'],
  [request('REFER', { uri: KNOWN }), 401, 'REFER outside a call'],
  [request('MESSAGE', { uri: UNKNOWN }), 404, 'MESSAGE to a user that does not exist'],
  [request('MESSAGE'), 404, 'MESSAGE to an outside number'],
  [request('CANCEL'), 481, 'CANCEL of what never came (RFC 3261 §9.2)'],
  [request('BYE'), 481, 'BYE outside a call'],
  [request('INFO'), 481, 'INFO outside a call'],
  [request('UPDATE'), 481, 'UPDATE outside a call'],
  [request('PRACK'), 481, 'PRACK outside a call'],
  [request('NOTIFY'), 481, 'NOTIFY outside a subscription'],
  [request('INVITE', { toTag: 'x' }), 481, 'INVITE in a call that there is not'],
  [request('OPTIONS', { toTag: 'x' }), 481, 'OPTIONS in a call that there is not'],
  [request('MESSAGE', { toTag: 'x' }), 481, 'MESSAGE in a call that there is not'],
  [request('FROB'), 501, 'an unknown method'],
  [request('invite'), 501, 'a known method in lower case, which is another one (RFC 3261 §7.1)'],
  [request('__proto__'), 501, 'what JavaScript knows as something else'],
  [request('OPTIONS', { lines: ['Require: 100rel, frob'] }), 420, 'a request that requires an unknown extension'],
  [request('OPTIONS', { lines: ['Require: 100REL, timer'] }), 200, 'a request that requires known extensions'],
  [request('CANCEL', { lines: ['Require: frob'] }), 481, 'a CANCEL that requires one (RFC 3261 §8.2.2.3)'],
  [OPTIONS.replace('CSeq: 1', 'CSeq: x'), 400, 'a malformed request'],
  [request('FROB').replace('CSeq: 1', 'CSeq: x'), 400, 'a malformed request of an unknown method'],
  [OPTIONS.replace('SIP/2.0\r', 'SIP/3.0\r'), 505, 'another version (RFC 3261 §21.5.6)'],
  [OPTIONS.replace(/^Via:.*$/m, 'Via: over there'), 400, 'a Via that is no hop'],
] as const) {
  test(`${why} is answered with ${status}`, () => {
    const padding = `User-Agent: ${'x'.repeat(200)}\r\nMax-Forwards:` // room for an answer with a session
    assert.equal(answered(text.replace('Max-Forwards:', padding)), status)
    assert.equal(answered(text, {}, { transport: 'TCP' }), status === 200 && text.startsWith('INVITE') ? 100 : status)
  })
}

for (const name of PERSONA_NAMES) {
  const persona = createPersona(name, '00')
  test(`${name} has its own words for users and methods that it does not know`, () => {
    const options = { persona }
    assert.equal(answered(request('REGISTER', { uri: UNKNOWN }), options), persona.unknownUserStatus)
    assert.equal(answered(request('INVITE', { uri: UNKNOWN }), options), persona.unknownUserStatus)
    assert.equal(answered(request('REGISTER', { uri: KNOWN }), options), 401)
    const pbx = createTestPbx(options)
    const [refused] = pbx.receive(request('FROB')).replies
    assert.equal(statusOf(refused), persona.unknownMethodStatus)
    if (persona.unknownMethodStatus === 405) assert.equal(headerOf(refused, 'Allow'), persona.allow)
  })
}

test('a 420 names what is not supported (RFC 3261 §8.2.2.3)', () => {
  const { replies } = createTestPbx().receive(request('OPTIONS', { lines: ['Require: frob, timer', 'Require: x'] }))
  assert.equal(headerOf(replies[0], 'Unsupported'), 'frob, x')
})

test('a 415 names what is accepted (RFC 3261 §21.4.13)', () => {
  const invite = request('INVITE', { body: 'hi', lines: ['Content-Type: text/plain'] })
  assert.equal(headerOf(createTestPbx().receive(invite).replies[0], 'Accept'), 'application/sdp')
})

for (const name of ['From', 'To']) {
  test(`a request without ${name} is answered 400, and the answer has none either`, () => {
    const { replies } = createTestPbx().receive(OPTIONS.replace(`${name}:`, 'X:'))
    assert.equal(statusOf(replies[0]), 400)
    assert.equal(headerOf(replies[0], name), null)
  })
}

test('a bare CR, at which some parsers end a line, does not come back in an answer', () => {
  const { replies } = createTestPbx().receive(OPTIONS.replace('Call-ID: x', 'Call-ID: x\rX-Evil: 1'))
  assert.equal(headerOf(replies[0], 'Call-ID'), 'x X-Evil: 1')
})

test('where a Via points does not matter: only the reply of the packet can send', () => {
  const via = 'Via: SIP/2.0/UDP victim.example.com;maddr=198.51.100.1;received=198.51.100.2;rport=53'
  const { replies } = createTestPbx().receive(OPTIONS.replace(/^Via:.*$/m, via))
  const answeredVia = 'SIP/2.0/UDP victim.example.com;maddr=198.51.100.1;rport=5071;received=192.0.2.1'
  assert.equal(headerOf(replies[0], 'Via'), answeredVia)
})

test('From, Call-ID and CSeq go back byte for byte, whatever is in them but a bare CR', () => {
  const value = fc
    .uint8Array({ minLength: 1, maxLength: 30 })
    .map((bytes) => Buffer.from(bytes).toString('latin1').replaceAll('\n', '\n '))
    .filter((text) => /[^ \t\r\n]/.test(text))
  fc.assert(
    fc.property(value, value, value, (from, callId, cseq) => {
      const text = OPTIONS.replace('From: <', () => `From: ${from}<`)
        .replace('Call-ID: x', () => `Call-ID: ${callId}`)
        .replace('CSeq: 1', () => `CSeq: ${cseq}`)
      const parsed = parseMessage(Buffer.from(text, 'latin1'))
      const asked = parsed.kind === 'fault' ? parsed.message : parsed
      const [reply] = createTestPbx().receive(text, { transport: 'TCP' }).replies
      assert.ok(asked?.kind === 'request' && reply !== undefined)
      const lines = reply.split('\r\n')
      for (const [name, header] of [
        ['From', 'from'],
        ['Call-ID', 'call-id'],
        ['CSeq', 'cseq'],
      ] as const) {
        assert.deepEqual(
          lines.filter((line) => line.startsWith(`${name}: `)),
          [`${name}: ${headerValue(asked, header)?.replaceAll('\r', ' ')}`],
        )
      }
    }),
  )
})

for (const method of ['OPTIONS', 'REGISTER', 'BYE', 'FROB']) {
  test(`${method} that comes again gets the same answer, To-tag and all, and is no second event`, async () => {
    const pbx = createTestPbx()
    const first = pbx.receive(request(method))
    await pbx.pass(31_000)
    const again = pbx.receive(request(method))
    assert.equal(first.replies.length, 1)
    assert.deepEqual(again, { event: null, isRetransmission: true, replies: first.replies })
  })
}

for (const [why, parts, from] of [
  ['another Call-ID', { callId: 'y' }, {}],
  ['another From', { fromTag: '2' }, {}],
  ['another source address', {}, { sourceIp: address('192.0.2.2') }],
  ['another source port', {}, { sourcePort: 5072 }],
] as const) {
  test(`${why} gets another To-tag`, () => {
    const tag = (...[text, source]: Parameters<TestPbx['receive']>) =>
      toTagOf(createTestPbx().receive(text, source).replies[0]) ?? assert.fail('no tag')
    assert.notEqual(tag(request('OPTIONS', parts), from), tag(OPTIONS))
    if (why !== 'another From') assert.notEqual(tag(request('INVITE', parts), from), tag(request('INVITE')))
  })
}

test('a short answer has a short tag, which proves nothing when it comes back', () => {
  const pbx = createTestPbx()
  const [options] = pbx.receive(OPTIONS).replies
  const [invite] = pbx.receive(request('INVITE', { uri: UNKNOWN })).replies
  assert.ok((toTagOf(options)?.length ?? 99) < (toTagOf(invite)?.length ?? 0))
  assert.equal(pbx.receive(request('ACK', { toTag: toTagOf(options) })).event?.proof, 'none')
})

for (const [uri, status] of [
  [UNKNOWN, 404],
  [KNOWN, 486],
] as const) {
  test(`the ACK of a ${status} is never answered, and shows that its sender is there`, () => {
    const pbx = createTestPbx({ callEnd: 'busy' })
    const [refused] = pbx.receive(request('INVITE', { uri })).replies
    assert.equal(statusOf(refused), status)
    const { event, replies } = pbx.receive(request('ACK', { uri, toTag: toTagOf(refused), branch: 'z9hG4bKINVITE' }))
    assert.deepEqual([event?.proofBy, replies], ['to-tag', []])
  })
}

/** The answers to 30 OPTIONS of one unproven source, as many as there are. */
function thirty(text: string, options: TestPbxOptions = {}) {
  const pbx = createTestPbx(options)
  for (let cseq = 1; cseq <= 30; cseq++) pbx.receive(text.replace('CSeq: 1', `CSeq: ${cseq}`))
  return { sent: pbx.sent, suppressed: pbx.suppressed }
}

test('while its bytes run out a scanner gets the full answer first, then a shorter one, and is never left without', () => {
  const { sent, suppressed } = thirty(OPTIONS, { persona: createPersona('kamailio', '00') })
  assert.deepEqual([sent.length, suppressed], [30, []])
  const full = sent.findIndex((reply) => headerOf(reply, 'Allow') === null)
  assert.ok(full > 0)
  assert.ok(sent.slice(full).every((reply) => headerOf(reply, 'Allow') === null))
})

test('a request that is shorter than any answer gets some, and counted silence when its bytes have run out', () => {
  const short = 'OPTIONS sip:a SIP/2.0\r\nv: SIP/2.0/UDP a\r\nf: a\r\nt: a\r\ni: x\r\nCSeq: 1 OPTIONS\r\n\r\n'
  const { sent, suppressed } = thirty(short)
  assert.ok(sent.length > 1 && sent.reduce((sum, reply) => sum + reply.length - short.length, 0) <= 400)
  assert.deepEqual(suppressed, new Array(30 - sent.length).fill('too-many-bytes'))
})

test('a source that has shown that it is there gets the full answer each time', () => {
  const pbx = createTestPbx()
  prove(pbx)
  for (let cseq = 1; cseq <= 30; cseq++) {
    const { replies } = pbx.receive(OPTIONS.replace('CSeq: 1', `CSeq: ${cseq}`))
    assert.equal(headerOf(replies[0], 'Allow'), ASTERISK.allow)
  }
})

// Logging in.
const REGISTER = request('REGISTER', { uri: KNOWN })

/** The answer to a try with this password, and what it challenges with. */
function tryPassword(pbx: TestPbx, password: string, challenge: string, from: Partial<Packet> = {}) {
  const lines = ['Contact: <sip:100@192.0.2.1>', authorization({ challenge }, { password })]
  const received = pbx.receive(request('REGISTER', { uri: KNOWN, cseq: 2, lines }), from)
  const [reply = assert.fail('silence')] = received.replies
  return { status: statusOf(reply), reply, event: received.event, stale: /stale=true/i.test(reply) }
}

function challenged(options: TestPbxOptions = {}) {
  const pbx = createTestPbx(options)
  const [challenge = assert.fail('no challenge')] = pbx.receive(REGISTER).replies
  return { pbx, challenge }
}

test('the third try at an extension is accepted, and answered with what was bound', () => {
  const { pbx, challenge } = challenged({ acceptAfter: 3 })
  const tries = ['a', 'b', 'c'].map((password) => tryPassword(pbx, password, challenge))
  assert.deepEqual(
    tries.map(({ status, stale }) => [status, stale]),
    [
      [401, false],
      [401, false],
      [200, false],
    ],
  )
  assert.equal(headerOf(tries[2]?.reply, 'Contact'), '<sip:100@192.0.2.1>;expires=3600')
  assert.deepEqual([tries[0]?.event?.proof, tries[0]?.event?.proofBy], ['echo', 'nonce'])
  assert.equal(tries[0]?.event?.credentials?.user, '100')
})

test('with --accept-after 0 nobody ever logs in', () => {
  const { pbx, challenge } = challenged({ acceptAfter: 0 })
  for (let time = 0; time < 50; time++) assert.equal(tryPassword(pbx, String(time), challenge).status, 401)
})

test('requests without credentials are no tries', () => {
  const { pbx, challenge } = challenged({ acceptAfter: 2 })
  prove(pbx)
  for (let cseq = 10; cseq < 20; cseq++) pbx.receive(request('REGISTER', { uri: KNOWN, cseq }))
  assert.equal(tryPassword(pbx, 'a', challenge).status, 401)
  assert.equal(tryPassword(pbx, 'b', challenge).status, 200)
})

test('a nonce is good for five minutes; after that the same password may be right, so the challenge says stale', async () => {
  const { pbx, challenge } = challenged({ acceptAfter: 1 })
  await pbx.pass(SIX_MINUTES_MS)
  const late = tryPassword(pbx, 'a', challenge)
  assert.deepEqual([late.status, late.stale, late.event?.proof], [401, true, 'none'])
  assert.deepEqual([tryPassword(pbx, 'a', late.reply).status], [200])
})

for (const [why, from] of [
  ['address', { sourceIp: address('192.0.2.2') }],
  ['port', { sourcePort: 5072 }],
] as const) {
  test(`the nonce of another ${why} is not ours: no try`, () => {
    const { pbx, challenge } = challenged({ acceptAfter: 1 })
    const { status, stale, event } = tryPassword(pbx, 'a', challenge, from)
    assert.deepEqual([status, stale, event?.proof], [401, false, 'none'])
  })
}

test('a made-up nonce is no try, however often', () => {
  const pbx = createTestPbx({ acceptAfter: 1 })
  for (let time = 0; time < 5; time++) {
    assert.equal(tryPassword(pbx, 'a', `realm="asterisk", nonce="${time}"`).stale, false)
  }
})

test('a 401 that had to be short has a nonce that counts as well', () => {
  const { pbx, challenge } = challenged({ acceptAfter: 1, budget: onlyBelow(400) })
  assert.ok((nonceOf(challenge)?.length ?? 99) < (nonceOf(challenged().challenge)?.length ?? 0))
  assert.equal(tryPassword(pbx, 'a', challenge).status, 200)
})

for (const [method, status, header] of [
  ['SUBSCRIBE', 200, 'Expires'],
  ['PUBLISH', 200, 'SIP-ETag'],
  ['MESSAGE', 202, 'Server'],
  ['REFER', 202, 'Server'],
] as const) {
  test(`${method} with credentials that are accepted is answered with ${status}`, () => {
    const pbx = createTestPbx({ acceptAfter: 1 })
    const [challenge = ''] = pbx.receive(request(method, { uri: KNOWN })).replies
    const lines = [authorization({ challenge }, { method })]
    const [accepted] = pbx.receive(request(method, { uri: KNOWN, cseq: 2, lines })).replies
    assert.equal(statusOf(accepted), status)
    assert.notEqual(headerOf(accepted, header), null)
  })
}

/** A budget that lets short replies through and no others. */
function onlyBelow(bytes: number) {
  const decide = (_source: unknown, _requestBytes: number, replyBytes: number) =>
    replyBytes < bytes ? 'send' : 'too-many-bytes'
  return { verdict: decide, charge: decide } as const
}

test('what a request that came over several hops is told proves nothing, since each of them reads it', () => {
  const pbx = createTestPbx()
  const hops = 'SIP/2.0/UDP 192.0.2.1:5071;branch=z9hG4bK1, SIP/2.0/UDP 198.51.100.9;branch=z9hG4bK2'
  const invite = request('INVITE').replace(/^Via: .*$/m, `Via: ${hops}\r`)
  const [answer = ''] = pbx.receive(invite).replies
  const toTag = /^To: .*;tag=(.*)\r$/m.exec(answer)?.[1] ?? assert.fail(answer)
  assert.deepEqual([pbx.receive(request('ACK', { toTag })).event?.proof], ['none'])
  assert.deepEqual([pbx.receive(request('BYE', { toTag, cseq: 9 })).event?.proof], ['none'])
})

test('a login over a stream counts from another connection too', () => {
  const pbx = createTestPbx({ acceptAfter: 1 })
  const [challenge = ''] = pbx.receive(request('REGISTER', { uri: KNOWN }), { transport: 'TCP', sourcePort: 1 }).replies
  assert.equal(tryPassword(pbx, 'a', challenge, { transport: 'TCP', sourcePort: 2 }).status, 200)
})

test('what is no digest, or one for another realm, is no try', () => {
  const { pbx, challenge } = challenged({ acceptAfter: 1 })
  const elsewhere = challenge.replace(/realm="[^"]*"/, 'realm="elsewhere"')
  assert.equal(tryPassword(pbx, 'a', elsewhere).status, 401)
  assert.equal(tryPassword(pbx, 'a', challenge).status, 200)
})

test('Asterisk has the branch of a request for its tag, outside dialogs', () => {
  const pbx = createTestPbx({ persona: createPersona('asterisk', '00') })
  const [answer = ''] = pbx.receive(request('OPTIONS')).replies
  const branch = /branch=([^;\r]*)/.exec(request('OPTIONS'))?.[1] ?? assert.fail('no branch')
  assert.ok(answer.includes(`;tag=${branch}\r\n`), answer)
})
