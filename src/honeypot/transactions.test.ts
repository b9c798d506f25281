// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { type IpAddress, parseIp } from '../net/ip.ts'
import type { Packet, Transport } from '../net/packet.ts'
import type { SipRequest } from '../sip/message.ts'
import { parseMessage } from '../sip/parse.ts'
import { fakeTimers } from './fixture-timers.ts'
import { createTransactions, type Transaction, type Transactions } from './transactions.ts'

const ip = (text: string): IpAddress => parseIp(text) ?? assert.fail(text)
const FINAL = Buffer.from('SIP/2.0 486 Busy Here')
const OK = Buffer.from('SIP/2.0 200 OK')
const RINGING = Buffer.from('SIP/2.0 180 Ringing')

/** A request by its parts; those not given are the same each time. */
interface Parts {
  readonly method?: string
  readonly uri?: string
  readonly via?: string
  readonly from?: string
  readonly to?: string
  readonly callId?: string
  readonly cseq?: string
  readonly more?: string
  readonly transport?: Transport
  readonly sourceIp?: string
  readonly sourcePort?: number
}

const VIA = 'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1;rport'

function arrival(parts: Parts): { packet: Packet; request: SipRequest } {
  const { method = 'INVITE', uri = 'sip:100@198.51.100.7', via = VIA, callId = 'call-1', more = '' } = parts
  const { from = '<sip:a@192.0.2.1>;tag=1', to = '<sip:100@198.51.100.7>', cseq = `1 ${method}` } = parts
  const head = `${method} ${uri} SIP/2.0\r\nVia: ${via}\r\nFrom: ${from}\r\nTo: ${to}\r\n`
  const bytes = Buffer.from(`${head}Call-ID: ${callId}\r\nCSeq: ${cseq}\r\n${more}\r\n`, 'latin1')
  const parsed = parseMessage(bytes)
  const request = parsed.kind === 'fault' ? parsed.message : parsed
  assert.ok(request?.kind === 'request')
  const packet: Packet = {
    transport: parts.transport ?? 'UDP',
    sourceIp: ip(parts.sourceIp ?? '192.0.2.1'),
    sourcePort: parts.sourcePort ?? 5060,
    destinationIp: ip('198.51.100.7'),
    destinationPort: 5060,
    bytes,
    complete: true,
    reply: () => true,
    done() {},
  }
  return { packet, request }
}

/** A table with its time, and all that it said. */
function table({
  maxTransactions = 100,
  isSent = () => true,
}: {
  maxTransactions?: number
  isSent?: () => boolean
} = {}) {
  const timers = fakeTimers()
  const sent: string[] = []
  const retransmitted: [eventId: number, count: number][] = []
  let dropped = 0
  const transactions = createTransactions({
    timers,
    maxTransactions,
    send(_packet, bytes, why, ofRequestBytes) {
      sent.push(`${bytes.toString().slice(8, 11)} ${why} ${ofRequestBytes}`)
      return isSent()
    },
    onRetransmitted: (eventId, count) => retransmitted.push([eventId, count]),
    onDropped: () => dropped++,
  })
  return { timers, transactions, sent, retransmitted, dropped: () => dropped }
}

function arrive(transactions: Transactions, parts: Parts = {}) {
  const { packet, request } = arrival(parts)
  return transactions.arrive(packet, request)
}

function begin(transactions: Transactions, parts: Parts = {}): Transaction {
  const come = arrive(transactions, parts)
  assert.ok(come.kind === 'new' && come.transaction !== null)
  return come.transaction
}

const LONG = 'x'.repeat(5_000)

// What is sent first, what then, what that is, and why.
for (const [first, then, kind, why] of [
  [{}, {}, 'retransmission', 'the same request again'],
  [{ method: 'OPTIONS' }, { method: 'OPTIONS' }, 'retransmission', 'the same request again, whatever its method'],
  [{}, { sourceIp: '192.0.2.2' }, 'new', 'another address'],
  [{}, { sourcePort: 5061 }, 'new', 'another port'],
  [{}, { transport: 'TCP' }, 'new', 'another transport'],
  [{}, { method: 'OPTIONS' }, 'new', 'another method'],
  [{}, { uri: 'sip:101@198.51.100.7' }, 'new', 'another Request-URI'],
  [{}, { via: 'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-2;rport' }, 'new', 'another branch'],
  [{}, { callId: 'call-2' }, 'new', 'another Call-ID'],
  [{}, { cseq: '2 INVITE' }, 'new', 'another CSeq'],
  [{}, { from: '<sip:b@192.0.2.1>;tag=1' }, 'new', 'another From, with the same tag'],
  [{}, { from: '<sip:a@192.0.2.1>;tag=2' }, 'new', 'another From-tag'],
  [{}, { to: '<sip:101@198.51.100.7>' }, 'new', 'another To'],
  [{}, { more: 'Authorization: Digest a\r\n' }, 'new', 'credentials where there were none'],
  [{ more: 'Authorization: Digest a\r\n' }, { more: 'Authorization: Digest b\r\n' }, 'new', 'other credentials'],
  [
    { more: 'Authorization: Digest a\r\nAuthorization: Digest b\r\n' },
    { more: 'Authorization: Digest a\r\nAuthorization: Digest c\r\n' },
    'new',
    'other credentials in a second header',
  ],
  [
    { more: 'Authorization: Digest a\r\n' },
    { more: 'Proxy-Authorization: Digest a\r\n' },
    'new',
    'the same credentials for a proxy',
  ],
  [{}, { via: `${VIA}, SIP/2.0/UDP 192.0.2.9` }, 'new', 'another hop below the topmost'],
  [{}, { more: 'Contact: <sip:x@192.0.2.9>\r\n' }, 'new', 'another Contact'],
  [
    { via: 'SIP/2.0/UDP 192.0.2.1' },
    { via: 'SIP/2.0/UDP 192.0.2.1' },
    'retransmission',
    'a client of RFC 2543 without a branch sends again',
  ],
  [{ via: 'SIP/2.0/UDP 192.0.2.1' }, { via: 'SIP/2.0/UDP 192.0.2.2' }, 'new', 'another hop without a branch'],
  [{ callId: LONG }, { callId: LONG }, 'retransmission', 'the same request again with a long Call-ID'],
  [{ callId: LONG }, { callId: `${LONG}y` }, 'new', 'another long Call-ID'],
  [{ from: `<sip:${LONG}@x>` }, { from: `<sip:${LONG}y@x>` }, 'new', 'another long From'],
  [{ callId: '' }, { callId: '' }, 'retransmission', 'the same request again without a Call-ID'],
  [{ method: 'ACK' }, { method: 'ACK' }, 'retransmission', 'the same ACK again'],
  [{ method: 'ACK' }, { method: 'ACK', to: '<sip:100@198.51.100.7>;tag=9' }, 'new', 'an ACK with another To-tag'],
] as const satisfies readonly (readonly [Parts, Parts, string, string])[]) {
  test(`a request is ${kind === 'new' ? 'a new event' : 'a retransmission'}: ${why}`, () => {
    const { transactions } = table()
    assert.equal(arrive(transactions, first).kind, 'new')
    assert.equal(arrive(transactions, then).kind, kind)
  })
}

test('a try with another password takes the place of the one before it', () => {
  const { transactions } = table()
  const tries = ['a', 'b'].map((password) => ({ more: `Authorization: Digest ${password}\r\n` }))
  let ended = 0
  for (const one of tries) begin(transactions, one).onEnd(() => ended++)
  assert.deepEqual([transactions.size(), ended], [1, 1])
  assert.equal(arrive(transactions, tries[1]).kind, 'retransmission')
})

test('an ACK takes no response, and is forgotten after 64*T1', () => {
  const { transactions, timers, sent } = table()
  assert.equal(begin(transactions, { method: 'ACK' }).respond(200, OK), false)
  timers.advance(31_999)
  assert.equal(arrive(transactions, { method: 'ACK' }).kind, 'retransmission')
  timers.advance(501)
  assert.equal(arrive(transactions, { method: 'ACK' }).kind, 'new')
  assert.deepEqual(sent, [])
})

test('the row of an ACK learns how often it came again', () => {
  const { transactions, retransmitted } = table()
  begin(transactions, { method: 'ACK' }).storedAs(9)
  arrive(transactions, { method: 'ACK' })
  arrive(transactions, { method: 'ACK' })
  transactions.stop()
  assert.deepEqual(retransmitted, [[9, 2]])
})

test('a retransmission is answered with the last response', () => {
  const { transactions, sent } = table()
  const options = { method: 'OPTIONS' }
  assert.equal(begin(transactions, options).respond(200, OK), true)
  arrive(transactions, options)
  const length = bytesOf(options)
  assert.deepEqual(sent, [`200 asked ${length}`, `200 asked ${length}`])
})

test('a request that was not answered yet is not answered when it comes again', () => {
  const { transactions, sent } = table()
  begin(transactions)
  arrive(transactions)
  assert.deepEqual(sent, [])
})

const bytesOf = (parts: Parts) => arrival(parts).packet.bytes.length

test('without an ACK a proven source gets a final response after 0.5, 1.5, 3.5, 7.5 … s, until 32 s are over', () => {
  for (const [status, bytes] of [
    [486, FINAL],
    [200, OK],
  ] as const) {
    const { transactions, timers, sent } = table()
    begin(transactions).respond(status, bytes, Number.POSITIVE_INFINITY)
    const seen: number[] = []
    for (let atMs = 0; atMs < 40_000; atMs += 500) {
      for (; sent.length > 0; sent.pop()) seen.push(atMs)
      timers.advance(500)
    }
    assert.deepEqual(seen, [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500])
    assert.deepEqual([transactions.size(), timers.running()], [0, 0])
  }
})

test('an unproven source gets a final response once more, and over a stream nobody does', () => {
  for (const [transport, expected] of [
    ['UDP', [`486 asked ${bytesOf({})}`, `486 unasked ${bytesOf({})}`]],
    ['TCP', [`486 asked ${bytesOf({})}`]],
  ] as const) {
    const { transactions, timers, sent } = table()
    begin(transactions, { transport }).respond(486, FINAL)
    timers.advance(40_000)
    assert.deepEqual(sent, expected)
  }
})

// What the ACK is like, and whether it stops the retransmissions of 486 or 200.
for (const [ack, stops, why] of [
  [{}, true, 'with the branch of the INVITE'],
  [{ via: 'SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-ack', uri: 'sip:198.51.100.7:5060' }, true, 'with a branch of its own'],
  [{ to: '<sip:100@198.51.100.7>;tag=ours' }, true, 'with our tag'],
  [{ sourcePort: 5061 }, false, 'from another port'],
  [{ sourceIp: '192.0.2.2' }, false, 'from another address'],
  [{ transport: 'TCP' }, false, 'over another transport'],
  [{ callId: 'call-2' }, false, 'with another Call-ID'],
  [{ cseq: '2 ACK' }, false, 'with another CSeq number'],
  [{ from: '<sip:a@192.0.2.1>;tag=2', via: 'SIP/2.0/UDP 192.0.2.1;branch=2' }, false, 'with another From-tag'],
] as const satisfies readonly (readonly [Parts, boolean, string])[]) {
  for (const status of [200, 486]) {
    test(`an ACK ${why} ${stops ? 'ends' : 'does not end'} the retransmissions of ${status}`, () => {
      const { transactions, timers, sent } = table()
      begin(transactions).respond(status, status === 200 ? OK : FINAL, Number.POSITIVE_INFINITY)
      assert.equal(arrive(transactions, { method: 'ACK', ...ack }).kind, 'new')
      timers.advance(1_000)
      assert.equal(sent.length, stops ? 1 : 2)
    })
  }
}

test('an ACK is for the INVITE with its branch, and for the last one of its call when none has it', () => {
  const { transactions, timers, sent } = table()
  const via = (branch: number) => `SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-${branch}`
  for (const branch of [1, 2, 3]) begin(transactions, { via: via(branch) }).respond(486, FINAL)
  arrive(transactions, { method: 'ACK', via: via(1) })
  arrive(transactions, { method: 'ACK', via: via(9) })
  sent.length = 0
  timers.advance(1_000)
  assert.equal(sent.length, 1)
})

test('the end of an earlier INVITE of a call does not hide the later one from its ACK', () => {
  const { transactions, timers, sent } = table()
  const via = (branch: number) => `SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-${branch}`
  const [earlier, later] = [begin(transactions, { via: via(1) }), begin(transactions, { via: via(2) })]
  earlier.respond(486, FINAL)
  later.respond(200, OK)
  earlier.forget()
  arrive(transactions, { method: 'ACK', via: via(9) })
  sent.length = 0
  timers.advance(1_000)
  assert.deepEqual(sent, [])
})

test('a CANCEL finds its INVITE, from the same address, port and transport and with the same branch only', () => {
  const { transactions } = table()
  const invite = begin(transactions)
  const cancelled = (parts: Parts) => {
    const { packet, request } = arrival({ method: 'CANCEL', ...parts })
    return transactions.cancelled(packet, request)
  }
  assert.equal(cancelled({}), invite)
  for (const other of [{ sourceIp: '192.0.2.2' }, { sourcePort: 9 }, { transport: 'TCP' }] as const)
    assert.equal(cancelled(other), null)
  assert.equal(cancelled({ via: 'SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-2' }), null)
  assert.equal(arrive(transactions, { method: 'CANCEL' }).kind, 'new')
  invite.forget()
  assert.equal(cancelled({}), null)
})

test('a call may ring before it is answered, and its final response comes only once', () => {
  const { transactions, timers, sent } = table()
  const invite = begin(transactions)
  assert.equal(invite.respond(180, RINGING), true)
  assert.equal(invite.isAnswered(), false)
  timers.advance(60_000)
  assert.equal(arrive(transactions).kind, 'retransmission')
  assert.equal(invite.respond(200, OK), true)
  assert.equal(invite.isAnswered(), true)
  assert.equal(invite.respond(486, FINAL), false)
  assert.equal(invite.respond(180, RINGING), false)
  const bytes = bytesOf({})
  assert.deepEqual(sent, [`180 asked ${bytes}`, `180 asked ${bytes}`, `200 unasked ${bytes}`])
})

test('what may not be sent any more does not replace what is sent again', () => {
  const { transactions, sent } = table()
  const options = begin(transactions, { method: 'OPTIONS' })
  options.respond(200, OK)
  options.respond(486, FINAL)
  sent.length = 0
  arrive(transactions, { method: 'OPTIONS' })
  assert.equal(sent[0]?.slice(0, 3), '200')
})

test('over a stream a request that was answered is over, and one whose answer failed too', () => {
  for (const isSent of [() => true, () => false]) {
    const { transactions, timers } = table({ isSent })
    const options = begin(transactions, { method: 'OPTIONS', transport: 'TCP' })
    options.respond(isSent() ? 200 : 100, OK)
    assert.deepEqual([transactions.size(), options.respond(200, OK)], [0, false])
    timers.advance(40_000)
    assert.equal(timers.running(), 0)
  }
})

test('an answer that was held back goes out when the request comes again and there is enough for it', () => {
  let isSent = false
  const { transactions, sent } = table({ isSent: () => isSent })
  assert.equal(begin(transactions, { method: 'OPTIONS' }).respond(200, OK), true)
  isSent = true
  assert.equal(arrive(transactions, { method: 'OPTIONS' }).kind, 'retransmission')
  assert.equal(sent.length, 2)
})

test('the retransmissions of a request are told once, with its event, when the transaction ends', () => {
  const { transactions, timers, retransmitted } = table()
  const options = begin(transactions, { method: 'OPTIONS' })
  options.storedAs(7)
  begin(transactions).storedAs(8)
  for (let again = 0; again < 3; again++) arrive(transactions, { method: 'OPTIONS' })
  timers.advance(31_000)
  assert.deepEqual(retransmitted, [])
  timers.advance(2_000)
  assert.deepEqual(retransmitted, [[7, 3]])
})

test('the retransmissions of an event that is stored late are told then', () => {
  const { transactions, timers, retransmitted } = table()
  const options = begin(transactions)
  arrive(transactions)
  timers.advance(40_000)
  assert.deepEqual(retransmitted, [])
  options.storedAs(7)
  assert.deepEqual(retransmitted, [[7, 1]])
})

test('a request whose event was lost is a new one when it comes again, and there is nobody to count for', () => {
  const { transactions, retransmitted } = table()
  const lost = begin(transactions)
  arrive(transactions)
  let ended = 0
  lost.onEnd(() => ended++)
  assert.equal(lost.forget(), 1, 'whoever forgets it is told')
  assert.deepEqual([retransmitted, ended, transactions.size()], [[], 1, 0])
  assert.equal(lost.respond(200, OK), false)
  assert.equal(arrive(transactions).kind, 'new')
})

test('the end of a transaction is told once, and at once to who asks later', () => {
  const { transactions, timers } = table()
  const told: string[] = []
  const invite = begin(transactions)
  invite.onEnd(() => told.push('first'))
  invite.onEnd(() => told.push('second'))
  timers.advance(40_000)
  assert.equal(invite.forget(), 0)
  invite.onEnd(() => told.push('late'))
  assert.deepEqual(told, ['first', 'second', 'late'])
})

test('a full table drops the oldest and counts it', () => {
  const { transactions, timers, dropped } = table({ maxTransactions: 3 })
  const ended: number[] = []
  for (const call of [0, 1, 2, 3, 4]) {
    const one = begin(transactions, { callId: String(call) })
    one.onEnd(() => ended.push(call))
    one.respond(486, FINAL)
    if (call === 1) one.forget() // makes room for one
  }
  assert.deepEqual([transactions.size(), dropped(), ended], [3, 1, [1, 0]])
  assert.equal(arrive(transactions, { callId: '2' }).kind, 'retransmission')
  assert.equal(arrive(transactions, { callId: '0' }).kind, 'new')
  assert.deepEqual([dropped(), ended], [2, [1, 0, 2]])
  timers.advance(240_000)
  assert.deepEqual([transactions.size(), timers.running()], [0, 0])
})

test('a stopped table holds nothing, no timer runs, and what it counted is told', () => {
  const { transactions, timers, retransmitted } = table()
  const invite = begin(transactions)
  invite.storedAs(7)
  invite.respond(200, OK, Number.POSITIVE_INFINITY)
  arrive(transactions)
  begin(transactions, { callId: 'rings' }).respond(180, RINGING)
  transactions.stop()
  assert.deepEqual([transactions.size(), timers.running(), retransmitted], [0, 0, [[7, 1]]])
})

for (const [name, long] of [
  ['X-Long', { more: `X-Long: ${'y'.repeat(60_000)}\r\n` }],
  ['From', { from: `<sip:${'y'.repeat(30_000)}@192.0.2.1>;tag=1` }],
  ['To', { to: `<sip:${'y'.repeat(60_000)}@192.0.2.1>` }],
  ['Request-URI', { uri: `sip:${'y'.repeat(60_000)}@192.0.2.1` }],
  ['Call-ID', { callId: 'y'.repeat(60_000) }],
] as const) {
  test(`a table that remembers requests with a long ${name} does not hold it`, async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage: () => void = runInNewContext('gc')
    const usedBytes = () => {
      collectGarbage()
      const { heapUsed, external } = process.memoryUsage()
      return heapUsed + external
    }
    const { transactions } = table({ maxTransactions: 500 })
    const beforeBytes = usedBytes()
    for (let branch = 0; branch < 500; branch++) {
      arrive(transactions, { ...long, via: `SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-0123456789-${branch}` })
    }
    // Buffers are given back a little after they were found to be garbage.
    let grownBytes = usedBytes() - beforeBytes
    for (let turn = 0; turn < 20 && grownBytes >= 4_000_000; turn++) {
      await new Promise(setImmediate)
      grownBytes = usedBytes() - beforeBytes
    }
    assert.equal(transactions.size(), 500)
    assert.ok(grownBytes < 4_000_000, `${grownBytes} bytes for 500 entries`)
  })
}

test('after any packets, answers and pauses the table is empty 4 minutes later, and no timer runs', () => {
  const small = { min: 1, max: 3 }
  const step = fc.record({
    pauseMs: fc.constantFrom(0, 100, 500, 5_000, 33_000),
    method: fc.constantFrom('INVITE', 'ACK', 'CANCEL', 'OPTIONS'),
    call: fc.integer(small),
    branch: fc.integer(small),
    transport: fc.constantFrom('UDP' as const, 'TCP' as const),
    statuses: fc.array(fc.constantFrom(100, 180, 200, 404), { maxLength: 3 }),
    mayRetransmit: fc.constantFrom(0, 1, Number.POSITIVE_INFINITY),
    isLost: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 8 }), (steps, maxTransactions) => {
      let isSent = true
      const { transactions, timers } = table({ maxTransactions, isSent: () => isSent })
      let [begun, ended] = [0, 0]
      for (const { pauseMs, method, call, branch, transport, statuses, mayRetransmit, isLost } of steps) {
        timers.advance(pauseMs)
        isSent = pauseMs !== 100
        const via = `SIP/2.0/UDP 192.0.2.1;branch=${branch}`
        const come = arrive(transactions, { method, callId: String(call), via, transport })
        assert.ok(transactions.size() <= maxTransactions)
        if (come.kind !== 'new' || come.transaction === null) continue
        begun++
        come.transaction.onEnd(() => ended++)
        for (const status of statuses) come.transaction.respond(status, OK, mayRetransmit)
        if (isLost) come.transaction.forget()
      }
      timers.advance(240_000)
      assert.deepEqual([transactions.size(), timers.running(), ended], [0, 0, begun])
    }),
    { numRuns: 200 },
  )
})

test('a transaction that has ended and was released is used again, as new as any', () => {
  const { transactions, timers, sent, retransmitted } = table()
  const first = begin(transactions, { method: 'OPTIONS' })
  first.respond(200, OK)
  first.storedAs(1)
  first.release()
  assert.equal(arrive(transactions, { method: 'OPTIONS' }).kind, 'retransmission')
  timers.advance(40_000)
  assert.deepEqual([transactions.size(), retransmitted], [0, [[1, 1]]])

  const second = begin(transactions, { method: 'REGISTER', sourceIp: '192.0.2.7' })
  assert.equal(second, first)
  assert.deepEqual([second.isAnswered(), second.path.sourceIp], [false, '192.0.2.7'])
  assert.equal(arrive(transactions, { method: 'REGISTER', sourceIp: '192.0.2.7' }).kind, 'retransmission')
  assert.equal(sent.length, 2) // nothing was said to it yet
  assert.equal(second.forget(), 1)
  assert.equal(retransmitted.length, 1)
})

test('a transaction that waits to be used again does not hold on to the connection of the last one', () => {
  const { transactions } = table()
  const { packet, request } = arrival({ method: 'OPTIONS', transport: 'TCP' })
  const come = transactions.arrive(packet, request)
  assert.ok(come.kind === 'new')
  const { transaction } = come
  assert.equal(transaction.path.reply, packet.reply)
  transaction.respond(200, OK)
  transaction.release()
  assert.equal(transactions.size(), 0)
  assert.notEqual(transaction.path.reply, packet.reply)
})

for (const [why, method, parts] of [
  ['somebody may still hold on to it, one that was not released', 'OPTIONS', { release: false, ends: true }],
  ['it is remembered still, one that has not ended', 'OPTIONS', { release: true, ends: false }],
  ['a call may hold on to it, an INVITE', 'INVITE', { release: true, ends: true }],
] as const) {
  test(`it is not used again where ${why}`, () => {
    const { transactions, timers } = table()
    const first = begin(transactions, { method })
    first.respond(486, FINAL)
    if (parts.release) first.release()
    if (parts.ends) timers.advance(200_000)
    assert.equal(transactions.size(), parts.ends ? 0 : 1)
    assert.notEqual(begin(transactions, { method: 'OPTIONS', callId: 'another' }), first)
  })
}

test('a request that comes again is answered with the same bytes, whatever was answered since', () => {
  const { transactions, sent } = table({ maxTransactions: 1_000 })
  const bytesFor = (number: number) => Buffer.from(`SIP/2.0 ${200 + (number % 100)} ${'x'.repeat(1_000 + number)}`)
  for (let number = 0; number < 500; number++) {
    begin(transactions, { method: 'OPTIONS', callId: `call-${number}` }).respond(200, bytesFor(number))
  }
  sent.length = 0
  for (let number = 0; number < 500; number++) arrive(transactions, { method: 'OPTIONS', callId: `call-${number}` })
  assert.deepEqual(
    sent.map((line) => line.slice(0, 3)),
    Array.from({ length: 500 }, (_, number) => String(200 + (number % 100))),
  )
})
