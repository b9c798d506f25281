// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IpAddress } from '../net/ip.ts'
import type { Packet } from '../net/packet.ts'
import type { Verdict } from './budget.ts'
import { address, packetOf } from './fixture-pbx.ts'
import { createSender, type SenderOptions } from './send.ts'

interface Charge {
  readonly requestBytes: number
  readonly replyBytes: number
}

/** A sender whose budget gives these verdicts in turn, and `send` after them. */
function senderWith(options: Partial<SenderOptions> = {}, verdicts: Verdict[] = []) {
  const suppressed: string[] = []
  const taken: boolean[] = []
  const charged: Charge[] = []
  const asked: (Charge & { readonly keptBytes: number })[] = []
  const sender = createSender({
    budget: {
      verdict(_, requestBytes, replyBytes, keptBytes = 0) {
        asked.push({ requestBytes, replyBytes, keptBytes })
        return verdicts.shift() ?? 'send'
      },
      charge(_, requestBytes, replyBytes) {
        charged.push({ requestBytes, replyBytes })
        return verdicts.shift() ?? 'send'
      },
    },
    isProven: () => false,
    isOwnSocket: () => false,
    isNeverAnswered: () => false,
    onSent: (wasTaken) => taken.push(wasTaken),
    onSuppressed: (why) => suppressed.push(why),
    ...options,
  })
  return { sender, suppressed, taken, charged, asked }
}

const from = (changes: Partial<Packet> = {}): Packet => packetOf('', { reply: () => true, ...changes })
const bytesOf = (length: number) => Buffer.alloc(length)

/** May anything go there, and what is counted. */
function answered(changes: Partial<Packet>, options: Partial<SenderOptions> = {}) {
  const { sender, suppressed } = senderWith(options)
  return { may: sender.mayAnswer(from(changes)), suppressed }
}

const YES = { may: true, suppressed: [] }
const NO = { may: false, suppressed: ['forbidden-source'] }

for (const port of [0, 7, 19, 53, 123, 161, 1900, 11211]) {
  test(`port ${port}, where something may answer anything, gets counted silence`, () => {
    assert.deepEqual(answered({ sourcePort: port }), NO)
  })
}

for (const source of [
  ...['0.0.0.0', '0.1.2.3', '224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255'],
  ...['::', 'ff02::1', 'ff0e::1'],
]) {
  test(`${source}, which is no host, gets counted silence`, () => {
    assert.deepEqual(answered({ sourceIp: address(source) }), NO)
  })
}

for (const source of [
  ...['1.0.0.1', '10.0.0.1', '127.0.0.1', '223.255.255.255', '192.0.2.224'],
  ...['::1', 'fe80::1', 'fd00::ff02', '2001:db8::ff'],
]) {
  test(`${source} may be answered`, () => assert.deepEqual(answered({ sourceIp: address(source) }), YES))
}

test('one of our own sockets gets counted silence, or two nodes would talk for ever', () => {
  const isOwnSocket = (ip: IpAddress, port: number) => ip === '203.0.113.5' && port === 5060
  const own = { sourceIp: address('203.0.113.5'), sourcePort: 5060 }
  assert.deepEqual(answered(own, { isOwnSocket }), NO)
  assert.deepEqual(answered({ ...own, sourcePort: 5061 }, { isOwnSocket }), YES)
})

test('on a stream no port and no address is forbidden: a handshake is not forged', () => {
  for (const transport of ['TCP', 'TLS'] as const) {
    assert.deepEqual(answered({ transport, sourcePort: 53 }, { isOwnSocket: () => true }), YES)
  }
})

for (const transport of ['UDP', 'TCP', 'TLS'] as const) {
  test(`an address that the operator wants left alone gets counted silence over ${transport}, proven or not`, () => {
    const isNeverAnswered = (ip: IpAddress) => ip === '192.0.2.1'
    for (const proven of [false, true]) {
      assert.deepEqual(answered({ transport }, { isNeverAnswered, isProven: () => proven }), NO)
    }
    assert.deepEqual(answered({ transport, sourceIp: address('192.0.2.2') }, { isNeverAnswered }), YES)
  })
}

const LENGTH = (length: number) => length

test('the first candidate that the budget lets through is chosen, and all but the last leave 200 bytes to the source', () => {
  const verdicts: Verdict[] = ['send', 'too-many-bytes', 'too-many-bytes', 'send']
  const { sender, suppressed, asked, charged } = senderWith({}, verdicts)
  assert.equal(sender.choose(from(), 350, [500, 450, 400, 390], LENGTH), 400)
  assert.deepEqual(
    asked.map(({ replyBytes, keptBytes }) => [replyBytes, keptBytes]),
    [
      [0, 0],
      [500, 200],
      [450, 200],
      [400, 200],
    ],
  )
  assert.deepEqual([suppressed, charged], [[], []], 'choosing costs nothing')
})

test('the last candidate may take all that is left', () => {
  const { sender, asked } = senderWith({}, ['send', 'too-many-bytes', 'send'])
  assert.equal(sender.choose(from(), 350, [500, 400], LENGTH), 400)
  assert.deepEqual(
    asked.map(({ keptBytes }) => keptBytes),
    [0, 200, 0],
  )
})

test('no answer is looked at for a source that gets none, nor one that is shorter than the one that may go out', () => {
  const lookedAt: number[] = []
  const lengthOf = (length: number) => {
    lookedAt.push(length)
    return length
  }
  assert.equal(senderWith({}, ['too-many-replies']).sender.choose(from(), 350, [500, 400], lengthOf), null)
  senderWith({}, ['send', 'too-many-bytes', 'send']).sender.choose(from(), 350, [500, 400, 300], lengthOf)
  assert.deepEqual(lookedAt, [500, 400])
})

for (const verdict of ['too-many-replies', 'too-many-bytes', 'table-full', 'too-much-in-all'] as const) {
  test(`when no candidate may go out, that is counted once, as ${verdict}`, () => {
    const { sender, suppressed } = senderWith({}, ['send', 'too-many-bytes', verdict])
    assert.equal(sender.choose(from(), 350, [500, 400], LENGTH), null)
    assert.deepEqual(suppressed, [verdict])
  })

  test(`a reply sent again that the budget refuses with ${verdict} stays here and is counted`, () => {
    const { sender, suppressed, taken } = senderWith({}, [verdict])
    const reply = () => assert.fail('nothing is sent')
    assert.equal(sender.send(from({ reply }), bytesOf(400), 'asked', 350), false)
    assert.deepEqual([suppressed, taken], [[verdict], []])
  })
}

test('a proven source gets the longest candidate, and no budget is asked or charged', () => {
  const { sender, asked, charged, taken } = senderWith({ isProven: () => true })
  assert.equal(sender.choose(from(), 10, [4_000, 400], LENGTH), 4_000)
  assert.equal(sender.send(from(), bytesOf(4_000), 'unasked', 10), true)
  assert.deepEqual([asked, charged, taken], [[], [], [true]])
})

test('what a request makes longer than 4 KiB is sent to nobody, proven or not', () => {
  const { sender, suppressed } = senderWith({ isProven: () => true })
  assert.equal(sender.choose(from(), 60_000, [4_097, 400], LENGTH), 400)
  assert.equal(sender.choose(from(), 60_000, [60_000, 4_097], LENGTH), null)
  assert.deepEqual(suppressed, ['too-many-bytes'])
})

test('an answer is charged against the bytes of its request, and what nobody asked for against none', () => {
  const { sender, charged } = senderWith()
  sender.send(from(), bytesOf(400), 'asked', 350)
  sender.send(from(), bytesOf(400), 'unasked', 350)
  assert.deepEqual(charged, [
    { requestBytes: 350, replyBytes: 400 },
    { requestBytes: 0, replyBytes: 400 },
  ])
})

test('a reply that the socket does not take is told as that, and has been charged', () => {
  const { sender, taken, suppressed, charged } = senderWith()
  assert.equal(sender.send(from({ reply: () => false }), bytesOf(400), 'asked', 350), false)
  assert.deepEqual([taken, suppressed, charged.length], [[false], [], 1])
})
