// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OnSettled } from './event/event.ts'
import { packetOf } from './honeypot/fixture-pbx.ts'
import { request } from './honeypot/fixture-request.ts'
import { createTransactions, type Transaction } from './honeypot/transactions.ts'
import type { Packet } from './net/packet.ts'
import { createCounters } from './ops/counters.ts'
import { createReceiver, type ReceiverParts } from './receive.ts'
import { eventOf } from './store/sqlite/fixture.ts'

const OPTIONS = request('OPTIONS')
const CREDENTIALS = { user: '', realm: '', nonce: '', response: '', algorithm: 'MD5', password: null }

/** A receiver whose events wait to be settled, and whose responder says `reply`. */
function receiverWith(parts: Partial<ReceiverParts> = {}) {
  const counters = createCounters()
  const settled: OnSettled[] = []
  const bugs: unknown[] = []
  const sent: string[] = []
  const again: (readonly [honeyId: number, count: number])[] = []
  const done: string[] = []
  const transactions = createTransactions({
    timers: { after: () => () => {} },
    send: (packet, bytes) => packet.reply(bytes),
    onRetransmitted: (honeyId, count) => again.push([honeyId, count]),
    onDropped: () => {},
  })
  const receive = createReceiver({
    observe: () => eventOf(),
    transactions,
    respond: (_packet, _parsed, _event, transaction) => void transaction?.respond(200, Buffer.from('reply')),
    publish: (_, onSettled) => settled.push(onSettled),
    counters,
    onBug: (error) => bugs.push(error),
    ...parts,
  })
  return {
    counters,
    transactions,
    settled,
    bugs,
    /** Replies, each with the packet that it answers. */
    sent,
    /** How often the message of which row came again. */
    again,
    /** The packets that nothing more is done with. */
    done,
    receive: (text: string, name = 'packet', from: Partial<Packet> = {}) =>
      receive(
        packetOf(text, {
          reply: (bytes) => sent.push(`${bytes} to ${name}`) > 0,
          done: () => void done.push(name),
          ...from,
        }),
      ),
  }
}

test('a reply is sent only when the event is stored, to where the packet came from', () => {
  const { receive, settled, sent, done } = receiverWith()
  receive(OPTIONS)
  assert.deepEqual([sent, done], [[], []])
  settled[0]?.('stored', 1)
  assert.deepEqual([sent, done], [['reply to packet'], ['packet']])
})

test('a keep-alive is counted and neither stored nor answered', () => {
  const { receive, counters, settled, done } = receiverWith()
  for (const text of ['', '\r\n', '\r\n\r\n', '\0\0\0\0']) receive(text)
  assert.equal(settled.length, 0)
  assert.equal(counters.get('keepAlives'), 4)
  assert.equal(counters.get('packetsReceived'), 4)
  assert.equal(done.length, 4)
})

test('a passive node answers nothing, and knows a retransmission all the same', () => {
  const { receive, settled, sent, counters, done } = receiverWith({ respond: null })
  receive(OPTIONS)
  settled[0]?.('stored', 1)
  receive(OPTIONS)
  assert.deepEqual([sent, settled.length, counters.get('retransmissions')], [[], 1, 1])
  assert.equal(done.length, 2)
})

test('a request that comes again is answered again, and is no second event', () => {
  const { receive, settled, sent, counters, done } = receiverWith()
  receive(OPTIONS, 'first')
  settled[0]?.('stored', 1)
  receive(OPTIONS, 'second')
  assert.deepEqual(sent, ['reply to first', 'reply to second'])
  assert.deepEqual([settled.length, counters.get('retransmissions')], [1, 1])
  assert.deepEqual(done, ['first', 'second'])
})

test('a request that comes again before its event is stored is no second event, and one reply answers both', () => {
  const { receive, settled, sent } = receiverWith()
  receive(OPTIONS, 'first')
  receive(OPTIONS, 'second')
  assert.deepEqual([settled.length, sent], [1, []])
  settled[0]?.('stored', 1)
  assert.deepEqual(sent, ['reply to first'])
})

test('the row learns how often its message came again, before and after it was stored', () => {
  const { receive, settled, transactions, again } = receiverWith()
  receive(OPTIONS)
  receive(OPTIONS)
  settled[0]?.('stored', 42)
  receive(OPTIONS)
  transactions.stop()
  assert.deepEqual(again, [[42, 2]])
})

for (const [outcome, honeyId, why] of [
  ['dropped', null, 'was lost'],
  ['late', 7, 'was stored too late for an answer'],
] as const) {
  test(`an event that ${why} is not answered, and the next copy of its message is a new event, which is`, () => {
    const { receive, settled, sent, done, counters } = receiverWith()
    receive(OPTIONS, 'first')
    settled[0]?.(outcome, honeyId)
    assert.deepEqual([sent, done], [[], ['first']])
    receive(OPTIONS, 'second')
    settled[1]?.('stored', 8)
    assert.deepEqual([sent, done], [['reply to second'], ['first', 'second']])
    assert.equal(counters.get('retransmissions'), 0)
  })

  test(`the copies of an event that ${why} are ${honeyId === null ? 'counted for nobody' : 'counted with its row'}`, () => {
    const { receive, settled, transactions, again } = receiverWith()
    receive(OPTIONS)
    receive(OPTIONS)
    settled[0]?.(outcome, honeyId)
    transactions.stop()
    assert.deepEqual(again, honeyId === null ? [] : [[honeyId, 1]])
  })
}

for (const [what, text] of [
  ['a response', OPTIONS.replace(/^.*/, 'SIP/2.0 200 OK')],
  ['garbage', 'hello\r\n'],
  ['a request without Via', OPTIONS.replace('Via:', 'X:')],
  ['a request without Call-ID', OPTIONS.replace('Call-ID:', 'X:')],
  ['a request without CSeq', OPTIONS.replace('CSeq:', 'X:')],
] as const) {
  test(`${what} is an event each time: no transaction knows it again`, () => {
    const given: (Transaction | null)[] = []
    const respond: ReceiverParts['respond'] = (_packet, _parsed, _event, transaction) => given.push(transaction)
    const { receive, settled, counters } = receiverWith({ respond })
    receive(text)
    receive(text)
    for (const settle of settled) settle('stored', 1)
    assert.deepEqual([given, counters.get('retransmissions')], [[null, null], 0])
  })
}

test('an ACK is an event once, and nothing answers it', () => {
  const { receive, settled, counters, sent, again, transactions } = receiverWith()
  receive(request('ACK'))
  receive(request('ACK'))
  for (const settle of settled) settle('stored', 1)
  transactions.stop()
  assert.deepEqual([settled.length, counters.get('retransmissions'), sent, again], [1, 1, [], [[1, 1]]])
})

test('a malformed request that can be answered is known when it comes again', () => {
  const { receive, settled, sent, counters } = receiverWith()
  const malformed = OPTIONS.replace('CSeq: 1', 'CSeq: x')
  receive(malformed)
  settled[0]?.('stored', 1)
  receive(malformed)
  assert.deepEqual([settled.length, counters.get('retransmissions'), sent.length], [1, 1, 2])
})

for (const [where, counter, parts] of [
  ['seen', 'packetsFailed', { observe: () => assert.fail('bug') }],
  ['published', 'packetsFailed', { publish: () => assert.fail('bug') }],
  [
    'answered',
    'answersFailed', // it is stored already, and a packet is counted as one thing only
    { respond: () => assert.fail('bug'), publish: (_: unknown, settle: OnSettled) => settle('stored', 1) },
  ],
] as const) {
  test(`a packet that makes us throw when it is ${where} is counted and told, and done with once`, () => {
    const { receive, counters, bugs, done } = receiverWith(parts)
    receive(OPTIONS, 'first')
    receive('hello', 'second')
    assert.deepEqual(
      (['packetsFailed', 'answersFailed'] as const).map((name) => counters.get(name)),
      counter === 'packetsFailed' ? [2, 0] : [0, 2],
    )
    assert.equal(bugs.length, 2)
    assert.deepEqual(done, ['first', 'second'])
  })
}

for (const step of ['observe', 'publish'] as const) {
  test(`a packet that makes ${step}() throw leaves nothing behind that takes the next copy for a retransmission`, () => {
    const { receive, bugs, counters } = receiverWith({ [step]: () => assert.fail('bug') })
    receive(OPTIONS)
    receive(OPTIONS)
    assert.deepEqual([bugs.length, counters.get('retransmissions')], [2, 0])
  })
}

test('a failure while one event is answered does not keep the others of its batch from their answers', () => {
  const { receive, settled, sent, counters } = receiverWith({
    respond(packet, _parsed, _event, transaction) {
      if (packet.sourcePort === 1) assert.fail('bug')
      transaction?.respond(200, Buffer.from('reply'))
    },
  })
  receive(OPTIONS, 'first', { sourcePort: 1 })
  receive(OPTIONS, 'second', { sourcePort: 2 })
  for (const settle of settled) settle('stored', 1)
  assert.deepEqual([sent, counters.get('answersFailed')], [['reply to second'], 1])
})

test('however many wait, each is answered by what it said, with the credentials that it had', () => {
  const answered: string[] = []
  const { receive, settled } = receiverWith({
    observe: ({ sourcePort }) => eventOf({ credentials: { ...CREDENTIALS, user: String(sourcePort) } }),
    respond(packet, parsed, credentials) {
      assert.ok(parsed.kind === 'request')
      answered.push(`${parsed.requestUri} ${packet.sourcePort} ${credentials?.user}`)
    },
  })
  const ports = Array.from({ length: 1_000 }, (_, index) => index + 1)
  for (const port of ports) receive(OPTIONS.replace(/^OPTIONS \S+/, `OPTIONS sip:${port}@a`), '', { sourcePort: port })
  for (const settle of settled.splice(0)) settle('stored', 1)
  assert.deepEqual(
    answered,
    ports.map((port) => `sip:${port}@a ${port} ${port}`),
  )
  receive(OPTIONS.replace(/^OPTIONS \S+/, 'OPTIONS sip:last@a'), '', { sourcePort: 7 })
  settled[0]?.('stored', 2)
  assert.equal(answered.at(-1), 'sip:last@a 7 7')
})
