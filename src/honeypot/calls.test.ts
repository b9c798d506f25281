// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { CALL_ENDS } from './calls.ts'
import { ASTERISK, address, createTestPbx, type TestPbx, type TestPbxOptions } from './fixture-pbx.ts'
import {
  authorization,
  bodyOf,
  headerOf,
  OFFER,
  offerAt,
  prove,
  type RequestParts,
  request,
  statusOf,
  toTagOf,
} from './fixture-request.ts'
import { createPersona, PERSONA_NAMES } from './persona.ts'

const { ringsAfterMs, answersAfterMs } = ASTERISK
const RINGING_MS = answersAfterMs - ringsAfterMs
const INVITE = request('INVITE', { body: OFFER })
const CANCEL = request('CANCEL', { branch: 'z9hG4bKINVITE' })
const FIVE_MINUTES_MS = 5 * 60_000
const FINAL = { answer: 200, noise: 200, busy: 486, unavailable: 480, 'not-found': 404 } as const

/** A PBX to which 192.0.2.1:5071 has shown that it is there, and what it sends after that. */
function proven(options: TestPbxOptions = {}) {
  const pbx = createTestPbx(options)
  prove(pbx)
  const before = pbx.sent.length
  const sent = () => pbx.sent.slice(before)
  return { pbx, sent, statuses: () => sent().map(statusOf) }
}

const ackTo = (reply: string | undefined, parts: RequestParts = {}) =>
  request('ACK', { toTag: toTagOf(reply), ...parts })

for (const name of PERSONA_NAMES) {
  const persona = createPersona(name, '00')
  for (const callEnd of CALL_ENDS) {
    const final = persona.challengesInvite ? persona.inviteChallengeStatus : FINAL[callEnd]
    test(`${name} with call end ${callEnd} sends an unproven source one ${final}, and nothing that is not asked for`, async () => {
      const pbx = createTestPbx({ persona, callEnd, openMedia: () => assert.fail('no audio to strangers') })
      const { replies } = pbx.receive(padded(INVITE))
      assert.deepEqual(replies.map(statusOf), [final])
      await pbx.pass(FIVE_MINUTES_MS)
      assert.equal(pbx.sent.length, 1)
      assert.equal(pbx.stop(), 0)
    })
  }
}

test('a 200 that an unproven source cannot be sent is a 486 instead, and makes no call', () => {
  const pbx = createTestPbx()
  assert.deepEqual(pbx.receive(INVITE).replies.map(statusOf), [200])
  const { replies } = pbx.receive(request('INVITE', { callId: 'y', body: OFFER }))
  assert.deepEqual(replies.map(statusOf), [486], 'its bytes are spent')
  const bye = request('BYE', { callId: 'y', toTag: toTagOf(replies[0]), cseq: 2 })
  assert.deepEqual(pbx.receive(bye).replies.map(statusOf), [481])
})

for (const callEnd of CALL_ENDS) {
  test(`with call end ${callEnd} a proven source hears it ring and then gets ${FINAL[callEnd]}`, async () => {
    const { pbx, statuses } = proven({ callEnd })
    pbx.receive(INVITE)
    assert.deepEqual(statuses(), [100])
    await pbx.pass(ringsAfterMs - 1)
    assert.deepEqual(statuses(), [100])
    await pbx.pass(1)
    assert.deepEqual(statuses(), [100, 180])
    await pbx.pass(RINGING_MS - 1)
    assert.deepEqual(statuses(), [100, 180])
    await pbx.pass(1)
    assert.deepEqual(statuses(), [100, 180, FINAL[callEnd]])
  })
}

test('a persona that says 183 while it rings does so', async () => {
  const persona = createPersona('cisco', '00')
  const { pbx, statuses } = proven({ persona })
  pbx.receive(INVITE)
  await pbx.pass(persona.answersAfterMs)
  assert.deepEqual(statuses(), [100, 183, 200])
})

test('the 100 has no tag (RFC 3261 §8.2.6.2), every other response of an INVITE the same one, also in the next minute', async () => {
  const { pbx, sent } = proven()
  await pbx.pass(40_000 - answersAfterMs / 2) // the clock stands at 20 s past a minute when the test begins
  pbx.receive(INVITE)
  await pbx.pass(answersAfterMs + 500)
  const [tag, ...others] = sent().map(toTagOf)
  assert.equal(tag, null)
  assert.equal(others.length, 3)
  assert.equal(new Set(others).size, 1)
  assert.notEqual(others[0], null)
})

for (const transport of ['TCP', 'TLS'] as const) {
  test(`over ${transport} the handshake is proof: a call rings at once, and the 200 is sent once`, async () => {
    const pbx = createTestPbx()
    pbx.receive(INVITE, { transport })
    await pbx.pass(FIVE_MINUTES_MS)
    assert.deepEqual(pbx.sent.map(statusOf), [100, 180, 200])
    assert.match(headerOf(pbx.sent[2], 'Contact') ?? '', new RegExp(`;transport=${transport.toLowerCase()}`))
  })
}

test('the 200 is sent again after 500 ms, 1 s, 2 s and each 4 s until its ACK (RFC 3261 §13.3.1.4)', async () => {
  const { pbx, sent, statuses } = proven()
  pbx.receive(INVITE)
  await pbx.pass(answersAfterMs)
  for (const waitMs of [500, 1_000, 2_000, 4_000, 4_000]) {
    const before = sent().length
    await pbx.pass(waitMs - 1)
    assert.equal(sent().length, before)
    await pbx.pass(1)
    assert.deepEqual(statuses().slice(before), [200])
  }
  const before = sent().length
  assert.deepEqual(pbx.receive(ackTo(sent().at(-1))).replies, [])
  await pbx.pass(FIVE_MINUTES_MS)
  assert.equal(sent().length, before)
})

test('a BYE that comes before the ACK shows that the 200 has arrived: it is not sent again', async () => {
  const { pbx, sent } = proven()
  pbx.receive(INVITE)
  await pbx.pass(answersAfterMs)
  pbx.receive(request('BYE', { toTag: toTagOf(sent().at(-1)), cseq: 9 }))
  const before = sent().length
  await pbx.pass(FIVE_MINUTES_MS)
  assert.equal(sent().length, before)
})

test('a 200 without an ACK is given up after 32 s, and no BYE follows: we begin nothing', async () => {
  const { pbx, sent } = proven()
  pbx.receive(INVITE)
  await pbx.pass(answersAfterMs + 33_000)
  const before = sent().length
  await pbx.pass(FIVE_MINUTES_MS)
  assert.equal(sent().length, before)
  assert.ok(sent().every((text) => text.startsWith('SIP/2.0 ')))
})

test('an INVITE that comes again while it rings gets the last response again and is no second event', async () => {
  const { pbx, statuses } = proven()
  pbx.receive(INVITE)
  assert.equal(pbx.receive(INVITE).isRetransmission, true)
  await pbx.pass(ringsAfterMs)
  pbx.receive(INVITE)
  assert.deepEqual(statuses(), [100, 100, 180, 180])
})

for (const callEnd of ['answer', 'busy'] as const) {
  test(`the ${FINAL[callEnd]} to an unproven source is sent again whenever its INVITE comes again, as far as its bytes go`, () => {
    const pbx = createTestPbx({ callEnd })
    const first = pbx.receive(INVITE)
    for (let time = 0; time < 2; time++) {
      assert.deepEqual(pbx.receive(INVITE), { event: null, isRetransmission: true, replies: first.replies })
    }
    for (let time = 0; time < 200; time++) pbx.receive(INVITE)
    const excess = pbx.sent.reduce((sum, reply) => sum + Math.max(0, reply.length - INVITE.length), 0)
    assert.ok(excess <= 400 && pbx.sent.length <= 100)
    assert.equal(pbx.suppressed.length, 203 - pbx.sent.length)
  })
}

test('the ACK of a refused INVITE shows that the source is there', () => {
  const pbx = createTestPbx({ callEnd: 'busy' })
  const [busy] = pbx.receive(INVITE).replies
  const ack = pbx.receive(ackTo(busy))
  assert.deepEqual([ack.event?.proof, ack.event?.proofBy, ack.replies], ['echo', 'to-tag', []])
  assert.deepEqual(pbx.receive(request('INVITE', { callId: 'y' })).replies.map(statusOf), [100])
})

for (const [why, from] of [
  ['another port', { sourcePort: 5072 }],
  ['another address', { sourceIp: address('192.0.2.2') }],
] as const) {
  test(`what one source has shown says nothing of ${why}`, () => {
    const { pbx } = proven()
    assert.deepEqual(pbx.receive(padded(INVITE), from).replies.map(statusOf), [200])
  })
}

test('five minutes later a source has to show again that it is there', async () => {
  const { pbx } = proven()
  await pbx.pass(FIVE_MINUTES_MS)
  assert.deepEqual(pbx.receive(INVITE).replies.map(statusOf), [100])
  const later = proven()
  await later.pbx.pass(FIVE_MINUTES_MS + 1)
  assert.deepEqual(later.pbx.receive(padded(INVITE)).replies.map(statusOf), [200])
})

test('a source whose proof ends while it rings gets nothing more that it does not ask for', async () => {
  const { pbx, statuses } = proven()
  await pbx.pass(FIVE_MINUTES_MS)
  pbx.receive(INVITE)
  await pbx.pass(FIVE_MINUTES_MS)
  assert.deepEqual(statuses(), [100])
  assert.equal(pbx.stop(), 0)
})

test('CANCEL while it rings: 200 to the CANCEL, 487 to the INVITE, one To-tag in both, and no 200 to the call later', async () => {
  const { pbx, sent, statuses } = proven()
  await pbx.pass(40_000 - ringsAfterMs / 2) // into the last moment of a minute
  pbx.receive(INVITE)
  await pbx.pass(ringsAfterMs)
  pbx.receive(CANCEL)
  assert.deepEqual(
    sent().map((reply) => `${statusOf(reply)} ${headerOf(reply, 'CSeq')}`),
    ['100 1 INVITE', '180 1 INVITE', '200 1 CANCEL', '487 1 INVITE'],
  )
  const [, ringing, cancelled, terminated] = sent().map(toTagOf)
  assert.deepEqual([cancelled, terminated], [ringing, ringing])
  pbx.receive(ackTo(sent().at(-1)))
  await pbx.pass(FIVE_MINUTES_MS)
  assert.deepEqual(statuses(), [100, 180, 200, 487])
})

test('a CANCEL that comes again gets its 200 again, and no second 487', async () => {
  const { pbx, statuses } = proven()
  pbx.receive(INVITE)
  pbx.receive(CANCEL)
  pbx.receive(CANCEL)
  assert.deepEqual(statuses(), [100, 200, 487, 200])
})

for (const callEnd of ['answer', 'busy'] as const) {
  test(`CANCEL after the ${FINAL[callEnd]} gets 200 with the tag of that, and changes nothing (RFC 3261 §9.2)`, async () => {
    const { pbx, sent, statuses } = proven({ callEnd })
    pbx.receive(INVITE)
    await pbx.pass(answersAfterMs)
    pbx.receive(CANCEL)
    assert.deepEqual(statuses(), [100, 180, FINAL[callEnd], 200])
    assert.equal(toTagOf(sent().at(-1)), toTagOf(sent()[2]))
  })
}

test('CANCEL of an INVITE that was not let through gets 200 with the tag of the refusal', () => {
  const { pbx, sent } = proven()
  const call = { uri: 'sip:999@203.0.113.5', branch: 'z9hG4bK1' }
  pbx.receive(request('INVITE', call))
  pbx.receive(request('CANCEL', call))
  assert.deepEqual(sent().map(statusOf), [404, 200])
  assert.equal(toTagOf(sent()[1]), toTagOf(sent()[0]))
})

for (const [why, parts, from] of [
  ['of another branch', { branch: 'z9hG4bKother' }, {}],
  ['of another Call-ID', { callId: 'y' }, {}],
  ['of another CSeq', { cseq: 2 }, {}],
  ['to another Request-URI', { uri: 'sip:100@203.0.113.5' }, {}],
  ['from another port', {}, { sourcePort: 5072 }],
  ['from another address', {}, { sourceIp: address('192.0.2.2') }],
] as const) {
  test(`a CANCEL ${why} gets 481 and stops no call`, async () => {
    const { pbx, statuses } = proven()
    pbx.receive(INVITE)
    const { replies } = pbx.receive(request('CANCEL', { branch: 'z9hG4bKINVITE', ...parts }), from)
    assert.deepEqual(replies.map(statusOf), [481])
    await pbx.pass(answersAfterMs)
    assert.equal(statuses().at(-1), 200)
  })
}

test('an INVITE of the same transaction with another From is a call of its own, and ends the one before', async () => {
  const { pbx, sent } = proven()
  pbx.receive(INVITE)
  pbx.receive(request('INVITE', { fromUser: '101', body: OFFER }))
  await pbx.pass(answersAfterMs)
  assert.deepEqual(
    sent().map((reply) => `${statusOf(reply)} ${headerOf(reply, 'From')?.slice(5, 8)}`),
    ['100 100', '100 101', '180 101', '200 101'],
  )
})

test('the answer has one codec of the offer, and the persona’s words in it', async () => {
  const { pbx, sent } = proven()
  pbx.receive(INVITE)
  await pbx.pass(answersAfterMs)
  const ok = sent().at(-1)
  assert.equal(headerOf(ok, 'Content-Type'), 'application/sdp')
  assert.equal(Number(headerOf(ok, 'Content-Length')), bodyOf(ok).length)
  assert.match(
    bodyOf(ok),
    /^v=0\r\no=- \d+ \d+ IN IP4 203\.0\.113\.5\r\ns=Asterisk\r\nc=IN IP4 203\.0\.113\.5\r\nt=0 0\r\nm=audio \d+ RTP\/AVP 8\r\n/,
  )
})

test('the offer ends where Content-Length says', async () => {
  const { pbx, sent } = proven()
  pbx.receive(`${INVITE}m=video 1 RTP/AVP 96\r\n`)
  await pbx.pass(answersAfterMs)
  assert.doesNotMatch(bodyOf(sent().at(-1)), /m=video/)
})

for (const [why, parts, status] of [
  ['without an offer gets ours (RFC 3261 §13.3.1.4)', {}, 200],
  ['with an offer that has no stream gets 488', { body: 'v=0\r\n' }, 488],
  [
    'with an offer of more streams than we answer gets 488',
    { body: offerAt('192.0.2.1', 'm=audio 1 RTP/AVP 0\r\n'.repeat(17)) },
    488,
  ],
] as const) {
  test(`an INVITE ${why}`, async () => {
    const { pbx, sent } = proven()
    pbx.receive(request('INVITE', parts))
    await pbx.pass(answersAfterMs)
    assert.equal(statusOf(sent().at(-1)), status)
    assert.equal(bodyOf(sent().at(-1)).includes('m=audio'), status === 200)
  })
}

test('the 200 repeats every Record-Route in order (RFC 3261 §12.1.1), and so does the 180', async () => {
  const { pbx, sent } = proven()
  pbx.receive(request('INVITE', { body: OFFER, lines: ['Record-Route: <sip:p1;lr>', 'Record-Route: <sip:p2;lr>'] }))
  await pbx.pass(answersAfterMs)
  for (const reply of sent().slice(1)) {
    assert.ok(reply.includes('\r\nRecord-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\n'))
  }
})

test('of more than 1,024 calls at once the last are answered without ringing', () => {
  const { pbx, sent, statuses } = proven()
  for (let call = 0; call < 1_024; call++) pbx.receive(request('INVITE', { callId: String(call), body: OFFER }))
  assert.ok(statuses().every((status) => status === 100))
  pbx.receive(request('INVITE', { callId: 'more', body: OFFER }))
  assert.equal(statusOf(sent().at(-1)), 200)
  assert.equal(pbx.stop(), 0)
})

test('a node that stops while calls ring sends nothing more and leaves no timer', async () => {
  const { pbx, statuses } = proven()
  for (const callId of ['a', 'b']) pbx.receive(request('INVITE', { callId, body: OFFER }))
  assert.equal(pbx.stop(), 0)
  await pbx.pass(FIVE_MINUTES_MS)
  assert.deepEqual(statuses(), [100, 100])
})

// A persona that challenges calls.
const CALL = 'sip:00046500729221@203.0.113.5'
const THREE_CX = createPersona('3cx', '00')

function dial(pbx: TestPbx, { password = '', challenge = '', callId = 'x' } = {}) {
  const digest = { password, method: 'INVITE', uri: CALL, name: 'Proxy-Authorization' }
  const lines = challenge === '' ? [] : [authorization({ challenge }, digest)]
  const { replies } = pbx.receive(request('INVITE', { callId, cseq: challenge === '' ? 1 : 2, lines, body: OFFER }))
  return replies[0]
}

test('a persona that challenges calls lets one through once its caller is logged in, and asks again for the next', async () => {
  const pbx = createTestPbx({ persona: THREE_CX, acceptAfter: 2 })
  const challenge = dial(pbx) ?? assert.fail()
  assert.equal(statusOf(challenge), 407)
  assert.equal(statusOf(dial(pbx, { challenge, password: 'a' })), 407)
  assert.equal(statusOf(dial(pbx, { challenge, password: 'b' })), 100)
  await pbx.pass(THREE_CX.answersAfterMs)
  assert.equal(statusOf(pbx.sent.at(-1)), 200)
  assert.equal(statusOf(dial(pbx, { callId: 'y' })), 407)
  assert.equal(statusOf(dial(pbx, { callId: 'y', challenge, password: 'b' })), 100)
})

test('a persona that challenges calls says stale to a nonce that is too old', async () => {
  const pbx = createTestPbx({ persona: THREE_CX, acceptAfter: 1 })
  const challenge = dial(pbx) ?? assert.fail()
  await pbx.pass(6 * 60_000)
  const again = dial(pbx, { challenge, password: 'a' })
  assert.equal(statusOf(again), 407)
  assert.match(headerOf(again, 'Proxy-Authenticate') ?? '', /stale=true/)
})

/** As long as what telephones send, so that there is room for an answer with a session. */
function padded(text: string): string {
  return text.replace('Max-Forwards:', `User-Agent: ${'x'.repeat(200)}\r\nMax-Forwards:`)
}

test('a call that was answered does not hold on to its request', async () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage: () => void = runInNewContext('gc')
  const usedBytes = () => {
    collectGarbage()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const pbx = createTestPbx({ budget: { verdict: () => 'send', charge: () => 'send' } })
  const beforeBytes = usedBytes()
  for (let call = 0; call < 300; call++) {
    const invite = request('INVITE', { callId: String(call), lines: [`X-Long: ${'x'.repeat(60_000)}`] })
    pbx.receive(invite, { transport: call % 2 === 0 ? 'TCP' : 'UDP', reply: () => true })
  }
  await pbx.pass(10_000)
  let grownBytes = usedBytes() - beforeBytes
  for (let turn = 0; turn < 20 && grownBytes >= 5_000_000; turn++) {
    await new Promise(setImmediate)
    grownBytes = usedBytes() - beforeBytes
  }
  assert.ok(grownBytes < 5_000_000, `${grownBytes} bytes for 300 calls of 60 KB`)
})
