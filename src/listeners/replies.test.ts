// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IpAddress } from '../net/ip.ts'
import type { Outgoing } from '../net/message-batch.ts'
import { socketAddressBytes } from '../net/socket-address.ts'
import { createReplies } from './replies.ts'

const ip = '192.0.2.1' as IpAddress
const to = { ip, raw: socketAddressBytes(ip, 0) }

/** A kernel that takes what its script says, call by call, and then everything. */
function scripted(...script: readonly (number | 'busy' | 'refused')[]) {
  const answers = [...script]
  const calls: number[] = []
  const sent: string[] = []
  const told: string[] = []
  const replies = createReplies({
    send(outgoing, first) {
      const waiting = outgoing.length - first
      calls.push(waiting)
      const answer = answers.shift() ?? waiting
      if (typeof answer === 'number') {
        for (const { bytes } of outgoing.slice(first, first + answer)) sent.push(String(bytes))
      }
      return answer
    },
    onRefused: (count) => told.push(`${count} refused`),
    onBusy: (isBusy) => told.push(isBusy ? 'busy' : 'free'),
  })
  const add = (text: string) => replies.add(reply(Buffer.from(text)))
  return { replies, add, calls, sent, told }
}

function reply(bytes: Buffer): Outgoing {
  return { bytes, to, port: 5060, from: null }
}

const endOfTurn = () => new Promise<void>((resolve) => queueMicrotask(resolve))

test('what is said in one turn goes out with one call, and nothing before its end', async () => {
  const { add, calls, sent } = scripted()
  for (const text of ['a', 'b', 'c']) assert.equal(add(text), true)
  assert.deepEqual(calls, [])
  await endOfTurn()
  assert.deepEqual([calls, sent], [[3], ['a', 'b', 'c']])
})

test('more than a batch does not wait for the end of the turn', () => {
  const { add, calls } = scripted()
  for (let at = 0; at < 130; at++) add('a')
  assert.deepEqual(calls, [64, 64])
})

test('a reply that is refused is told of, and the others go out', async () => {
  const { add, sent, told } = scripted(1, 'refused', 1, 'refused')
  for (const text of ['a', 'b', 'c', 'd', 'e']) add(text)
  await endOfTurn()
  assert.deepEqual(
    [sent, told],
    [
      ['a', 'c', 'e'],
      ['1 refused', '1 refused'],
    ],
  )
})

test('what the kernel has no room for waits in order, is sent when there is room, and once', async () => {
  const { replies, add, calls, sent, told } = scripted(1, 'busy', 'busy')
  for (const text of ['a', 'b', 'c']) add(text)
  await endOfTurn()
  assert.deepEqual([sent, told, replies.isBusy()], [['a'], ['busy'], true])
  add('d')
  for (let at = 0; at < 100; at++) add('e')
  await endOfTurn()
  assert.equal(calls.length, 2, 'nobody asks again before there is room')
  replies.flush()
  assert.deepEqual(told, ['busy'])
  replies.flush()
  assert.deepEqual(told, ['busy', 'free'])
  assert.deepEqual(sent.slice(0, 5), ['a', 'b', 'c', 'd', 'e'])
  assert.equal(sent.length, 104)
})

test('what waits for a kernel that takes nothing is bounded in bytes', async () => {
  const { replies, told } = scripted(...Array<'busy'>(1_000).fill('busy'))
  const long = reply(Buffer.alloc(4_096))
  let taken = 0
  for (let at = 0; at < 1_000; at++) if (replies.add(long)) taken++
  await endOfTurn()
  assert.equal(taken, 257) // the first one beyond 1 MiB is the last
  replies.end()
  assert.deepEqual(told, ['busy', '257 refused'])
})

test('ending sends what waits, and takes no more', () => {
  const { replies, add, sent, told } = scripted()
  add('a')
  replies.end()
  replies.end()
  assert.equal(add('b'), false)
  assert.deepEqual([sent, told], [['a'], []])
})

test('what is longer than any datagram is not taken', () => {
  const { replies } = scripted()
  assert.equal(replies.add(reply(Buffer.alloc(65_528))), false)
  assert.equal(replies.add(reply(Buffer.alloc(65_527))), true)
})
