// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Packet } from '../net/packet.ts'
import type { SipRequest } from '../sip/message.ts'
import { parseMessage } from '../sip/parse.ts'
import { createDialogs, tagOf } from './dialogs.ts'
import { address, createTestPbx, packetOf } from './fixture-pbx.ts'
import { bodyOf, headerOf, OFFER, offerAt, type RequestParts, request, statusOf, toTagOf } from './fixture-request.ts'

const MINUTE_MS = 60_000
const HERE = packetOf('')
const ELSEWHERE: Partial<Packet> = { sourceIp: address('192.0.2.2') }

/** A call that was answered and acknowledged, with its tag. */
function established() {
  const pbx = createTestPbx()
  const [ok] = pbx.receive(request('INVITE', { body: OFFER })).replies
  const toTag = toTagOf(ok) ?? assert.fail('a 200 has a tag')
  const ack = pbx.receive(request('ACK', { toTag }))
  assert.deepEqual([statusOf(ok), ack.replies], [200, []])
  /** The status of the answer to the next request in the call. */
  let cseq = 1
  const next = (method: string, parts: RequestParts = {}, from: Partial<Packet> = {}) =>
    pbx.receive(request(method, { toTag, cseq: ++cseq, branch: `z9hG4bK${cseq}`, ...parts }), from).replies
  return { pbx, toTag, ok, next, status: (...asked: Parameters<typeof next>) => next(...asked).map(statusOf) }
}

for (const [method, parts, expected, why] of [
  ['INFO', { body: 'Signal=1', lines: ['Content-Type: application/dtmf-relay'] }, 200, 'is taken'],
  ['UPDATE', {}, 200, 'without an offer refreshes the session (RFC 3311 §5.2)'],
  ['NOTIFY', {}, 200, 'is taken'],
  ['MESSAGE', { body: 'hi', lines: ['Content-Type: text/plain'] }, 200, 'is taken'],
  ['PRACK', {}, 200, 'is taken'],
  ['REFER', { lines: ['Refer-To: <sip:1@a>'] }, 202, 'is accepted'],
  ['OPTIONS', {}, 200, 'is answered as outside one (RFC 3261 §11.2)'],
  ['BYE', {}, 200, 'ends it'],
] as const) {
  test(`${method} in a call ${why}`, () => {
    const { status } = established()
    assert.deepEqual(status(method, parts), [expected])
  })
}

test('the answer to REFER says that no NOTIFY follows (RFC 4488 §4)', () => {
  const { next } = established()
  const [accepted] = next('REFER', { lines: ['Refer-To: <sip:1@a>', 'Refer-Sub: true'] })
  assert.equal(headerOf(accepted, 'Refer-Sub'), 'false')
})

for (const method of ['INVITE', 'UPDATE']) {
  test(`${method} with an offer in a call gets an answer of the same session, from the same port, with the same To`, () => {
    const { ok, next } = established()
    const line = (reply: string | undefined, start: string) =>
      bodyOf(reply)
        .split('\r\n')
        .find((text) => text.startsWith(start))
    const [again] = next(method, { body: offerAt('192.0.2.1', 'm=audio 40000 RTP/AVP 8', 'a=sendonly\r\n') })
    assert.equal(statusOf(again), 200)
    for (const start of ['o=', 'm=audio']) assert.equal(line(again, start), line(ok, start))
    assert.equal(line(again, 'a=recvonly'), 'a=recvonly')
    assert.equal(headerOf(again, 'To'), headerOf(ok, 'To'))
    assert.equal(headerOf(again, 'Contact'), headerOf(ok, 'Contact'))
  })

  test(`${method} in a call with an offer that nothing can be taken of gets 488, and the call goes on`, () => {
    const { status } = established()
    assert.deepEqual(status(method, { body: 'v=0\r\n' }), [488])
    assert.deepEqual(status('BYE'), [200])
  })
}

for (const method of ['INVITE', 'UPDATE']) {
  test(`${method} in a call with a body that is no SDP gets 415, and the call goes on`, () => {
    const { status } = established()
    assert.deepEqual(status(method, { body: 'hi', lines: ['Content-Type: text/plain'] }), [415])
    assert.deepEqual(status('BYE'), [200])
  })
}

test('a re-INVITE without an offer gets ours (RFC 3261 §14.2)', () => {
  const { next } = established()
  assert.match(bodyOf(next('INVITE')[0]), /^m=audio \d+ RTP\/AVP 0\r$/m)
})

test('after BYE the call is gone: another BYE gets 481, the same one again gets its 200', () => {
  const { pbx, toTag, status } = established()
  const bye = request('BYE', { toTag, cseq: 2 })
  const first = pbx.receive(bye)
  const again = pbx.receive(bye)
  assert.deepEqual(first.replies.map(statusOf), [200])
  assert.deepEqual([again.replies, again.isRetransmission], [first.replies, true])
  for (const method of ['BYE', 'INFO', 'INVITE', 'UPDATE', 'REFER']) assert.deepEqual(status(method), [481], method)
})

for (const [why, parts, from] of [
  ['with another tag of ours', { toTag: 'z' }, {}],
  ['with another From-tag', { fromTag: '2' }, {}],
  ['with another Call-ID', { callId: 'y' }, {}],
  ['from another address', {}, ELSEWHERE],
] as const) {
  test(`a request ${why} is in no call of ours and gets 481`, () => {
    const { status } = established()
    for (const method of ['BYE', 'INVITE', 'INFO']) assert.deepEqual(status(method, parts, from), [481], method)
    assert.deepEqual(status('BYE'), [200], 'and the call goes on')
  })
}

test('a call goes on from another port of its address: translators of addresses change it', () => {
  const { status } = established()
  assert.deepEqual(status('BYE', {}, { sourcePort: 40_000 }), [200])
})

test('a lower CSeq than before gets 500, the same or a higher one does not (RFC 3261 §12.2.2)', () => {
  const { status } = established()
  assert.deepEqual(status('INFO', { cseq: 9, branch: 'a' }), [200])
  assert.deepEqual(status('INFO', { cseq: 8, branch: 'b' }), [500])
  assert.deepEqual(status('UPDATE', { cseq: 9, branch: 'c' }), [200])
  assert.deepEqual(status('BYE', { cseq: 2_147_483_647, branch: 'd' }), [200])
})

test('a call that was quiet for ten minutes is forgotten, and each request makes it last', async () => {
  const { pbx, status } = established()
  for (let time = 0; time < 3; time++) {
    await pbx.pass(9 * MINUTE_MS)
    assert.deepEqual(status('INFO'), [200])
  }
  await pbx.pass(10 * MINUTE_MS + 1)
  assert.deepEqual(status('BYE'), [481])
})

test('the answer to a refused INVITE makes no call', () => {
  const pbx = createTestPbx({ callEnd: 'busy' })
  const [busy] = pbx.receive(request('INVITE', { body: OFFER })).replies
  const bye = request('BYE', { cseq: 2, toTag: toTagOf(busy) })
  assert.deepEqual(pbx.receive(bye).replies.map(statusOf), [481])
})

/** The dialogs alone, with the audio of the calls written down. */
function tableOf(maxDialogs?: number) {
  let nowMs = 0
  const heard: string[] = []
  const dialogs = createDialogs(() => nowMs, maxDialogs)
  return {
    dialogs,
    heard,
    pass: (ms: number) => {
      nowMs += ms
    },
    open: (callId: string) =>
      dialogs.open(
        HERE,
        read(request('INVITE', { callId })),
        'ours',
        { id: 1, audioPort: 10_000, owner: '-' },
        {
          begin: () => heard.push(`${callId} begins`),
          stop: () => heard.push(`${callId} stops`),
          heardOf() {},
        },
      ),
    find: (callId: string) => dialogs.find(HERE, read(request('INFO', { callId, toTag: 'ours', cseq: 2 }))),
    ack: (callId: string, toTag = 'ours') => dialogs.confirm(HERE, read(request('ACK', { callId, toTag }))),
  }
}

test('when there is one call too many, the one that was quiet for longest is forgotten and its audio stops', () => {
  const { open, find, heard } = tableOf(2)
  for (const callId of ['a', 'b', 'c']) {
    open(callId)
    find(callId)
    if (callId === 'b') find('a')
  }
  assert.deepEqual(heard, ['b stops'])
  assert.deepEqual(
    ['a', 'b', 'c'].map((callId) => find(callId).kind),
    ['dialog', 'unknown', 'dialog'],
  )
})

test('calls of which nothing was heard since they were answered push out only their like', () => {
  const { open, find, ack } = tableOf(2)
  open('real')
  ack('real')
  for (const callId of ['forged 1', 'forged 2', 'forged 3']) open(callId)
  assert.deepEqual(
    ['real', 'forged 1', 'forged 2', 'forged 3'].map((callId) => find(callId).kind),
    ['dialog', 'unknown', 'dialog', 'dialog'],
  )
})

test('4,096 calls are kept', () => {
  const { open, find } = tableOf()
  for (let call = 0; call <= 4_096; call++) open(String(call))
  assert.deepEqual([find('0').kind, find('1').kind, find('4096').kind], ['unknown', 'dialog', 'dialog'])
})

test('the audio of a call that is forgotten stops with the next packet of any call', () => {
  const { open, ack, pass, heard } = tableOf()
  open('a')
  pass(10 * MINUTE_MS + 1)
  ack('b')
  assert.deepEqual(heard, ['a stops'])
})

test('only the ACK of the call itself begins its audio', () => {
  const { open, ack, heard } = tableOf()
  open('a')
  ack('a', 'other')
  ack('b')
  assert.deepEqual(heard, [])
  ack('a')
  assert.deepEqual(heard, ['a begins'])
})

test('an INVITE that is answered again after its transaction ended stops the audio of the first answer', () => {
  const { open, heard } = tableOf()
  open('a')
  open('a')
  assert.deepEqual(heard, ['a stops'])
})

test('the end of a call and the stop of the node stop the audio once', () => {
  const { dialogs, open, find, heard } = tableOf()
  for (const callId of ['a', 'b']) open(callId)
  const found = find('a')
  assert.ok(found.kind === 'dialog')
  dialogs.end(found.dialog)
  dialogs.end(found.dialog)
  dialogs.stop()
  dialogs.stop()
  assert.deepEqual(heard, ['a stops', 'b stops'])
  assert.equal(find('b').kind, 'unknown')
})

for (const [to, tag, why] of [
  ['<sip:1@a>;tag=x', 'x', 'stands behind the brackets'],
  ['<sip:1@a;tag=y>', '', 'is not in the URI'],
  ['"a;tag=y" <sip:1@a>;TAG=x;z', 'x', 'is not in the name, and written in either case'],
  ['<sip:1@a>;tag=', '', 'may be empty, which is none'],
] as const) {
  test(`the tag of ${to} ${why}`, () => {
    const text = request('BYE').replace(/^To: .*$/m, () => `To: ${to}`)
    assert.equal(tagOf(read(text), 'to'), tag)
  })
}

function read(text: string): SipRequest {
  const parsed = parseMessage(Buffer.from(text, 'latin1'))
  return parsed.kind === 'request' ? parsed : assert.fail(text)
}
