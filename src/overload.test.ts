// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BadActorEvent } from './event/event.ts'
import { createOverload, withoutBody } from './overload.ts'
import { eventOf } from './store/sqlite/fixture.ts'

for (const [sipMessage, left, why] of [
  [
    'OPTIONS x SIP/2.0\r\nA: b\r\n\r\nbody\r\n\r\nmore',
    'OPTIONS x SIP/2.0\r\nA: b\r\n\r\n',
    'ends with the empty line',
  ],
  ['OPTIONS x SIP/2.0\nA: b\n\nbody\r\n\r\nmore', 'OPTIONS x SIP/2.0\nA: b\n\n', 'ends with an empty line of LF too'],
  ['OPTIONS x SIP/2.0\r\nA: b\r\n\r\n', null, 'is whole where there is no body'],
  ['no SIP at all', null, 'is whole where no header block ends'],
  ['', null, 'is whole where it is empty'],
] as const) {
  test(`a message without its body ${why}`, () => {
    assert.equal(withoutBody(eventOf({ sipMessage }))?.sipMessage ?? null, left)
  })
}

test('a fault that was there stays in front of the one that says that a body was left out', () => {
  const bare = withoutBody(eventOf({ sipMessage: 'A: b\n\nbody', fault: 'bad-header at byte 1' }))
  assert.match(bare?.fault ?? '', /^bad-header at byte 1; truncated at character 6: /)
})

/** In an overload, waiting: an event of this source for this number. */
function overloaded(...waiting: readonly BadActorEvent[]) {
  const overload = createOverload()
  const batch = {}
  for (const [index, event] of waiting.entries()) {
    overload.admit(event, 0.7)
    overload.waits(event, batch, index)
  }
  return { overload, batch }
}

test('what is stored is not counted with any more, and its next like is a new event', () => {
  const probe = eventOf({ method: 'OPTIONS' })
  const { overload, batch } = overloaded(eventOf(), probe)
  assert.equal(overload.admit(probe, 0.8), 'repeated')
  assert.deepEqual(overload.stored(batch, 10), [{ honeyId: 11, retransmissions: 1 }])
  assert.deepEqual(overload.stored(batch, 10), [])
  assert.equal(overload.admit(probe, 0.8), 'bare')
})

test('a text too long to be kept for comparison makes an event that is like no other', () => {
  const long = eventOf({ method: 'OPTIONS', userAgent: 'x'.repeat(300) })
  const { overload } = overloaded(long)
  assert.equal(overload.admit(long, 0.8), 'bare')
})

test('of a hundred thousand new sources nearly all are known to be new, and those that came lately to be known', () => {
  const address = (host: number) => `203.${host >> 16}.${(host >> 8) & 255}.${host & 255}`
  const { overload } = overloaded(eventOf())
  let known = 0
  for (let host = 0; host < 100_000; host++) {
    const event = eventOf({ sourceIp: address(host), method: 'SUBSCRIBE' })
    if (overload.admit(event, 0.95) === 'known') known++
    overload.waits(event, {}, 0)
    assert.equal(overload.admit(event, 0.95), 'known')
  }
  assert.ok(known < 200, `${known} taken for others`) // one in 500; none to some dozens, as the seed has it
})
