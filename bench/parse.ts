// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { headerValue } from '../src/sip/message.ts'
import { parseMessage } from '../src/sip/parse.ts'
import { calledNumber } from '../src/sip/uri.ts'
import type { Figure } from './figure.ts'
import { probe } from './messages.ts'

const MESSAGES = 100_000

/** Microseconds to read everything that an event needs out of a probe; the floor only makes a string of it. */
export function measureParse(rounds: number): Figure {
  const packets = Array.from({ length: 512 }, (_, sequence) => probe(sequence))
  const packet = (index: number) => packets[index & 511] ?? Buffer.alloc(0)
  const ours = () => timed((index) => readEverything(packet(index)))
  const floor = () => timed((index) => packet(index).toString('latin1').length)
  for (let warmUp = 0; warmUp < 3; warmUp++) {
    ours()
    floor()
  }
  const pairs = Array.from({ length: rounds }, () => [ours(), floor()] as const)
  return {
    name: 'parse an OPTIONS of 450 bytes, with every field of the event',
    unit: 'µs',
    goal: '≤ 1 µs',
    ours: { values: pairs.map(([value]) => value) },
    floor: { name: 'latin1 text of the same bytes', values: pairs.map(([, value]) => value) },
    events: MESSAGES,
  }
}

function readEverything(bytes: Buffer): number {
  const message = parseMessage(bytes)
  if (message.kind !== 'request') throw new Error('the probe is not sound')
  const to = calledNumber(message.toUri ?? '')
  const agent = headerValue(message, 'user-agent')
  return (
    message.method.length + (to?.length ?? 0) + (calledNumber(message.requestUri)?.length ?? 0) + (agent?.length ?? 0)
  )
}

function timed(work: (index: number) => number): number {
  let sum = 0
  const start = performance.now()
  for (let index = 0; index < MESSAGES; index++) sum += work(index)
  const elapsedMs = performance.now() - start
  if (sum === 0) throw new Error('nothing was measured')
  return (elapsedMs * 1000) / MESSAGES
}
