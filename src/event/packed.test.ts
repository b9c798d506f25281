// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { IpAddress } from '../net/ip.ts'
import { eventOf } from '../store/sqlite/fixture.ts'
import type { BadActorEvent } from './event.ts'
import { openBatch, slabBytesFor, unpack } from './packed.ts'

// Any code units: NUL, lone surrogates, the private-use characters of textOfBytes, and mostly plain ASCII.
const anyText = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 40 }) },
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
  fc.array(fc.integer({ min: 0xef00, max: 0xefff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
)
const textOrNull = fc.option(anyText)
const port = fc.integer({ min: 0, max: 65_535 })
const address = anyText.map((text) => text as IpAddress)

const anyEvent: fc.Arbitrary<BadActorEvent> = fc.record(
  {
    origin: fc.constant('observed'),
    eventUuid: anyText,
    timestamp: anyText,
    collectedMethod: fc.constantFrom('passive', 'responsive'),
    transport: fc.constantFrom('UDP', 'TCP', 'TLS'),
    sourceIp: address,
    sourcePort: port,
    destinationIp: address,
    destinationPort: port,
    method: textOrNull,
    calledNumber: textOrNull,
    requestUser: textOrNull,
    userAgent: textOrNull,
    sipMessage: anyText,
    createdByNodeId: fc.constantFrom('one', 'another'),
    proof: fc.constantFrom('none', 'echo', 'handshake'),
    proofBy: fc.constantFrom(null, 'to-tag', 'nonce', 'contact', 'tcp', 'tls'),
    credentials: fc.option(
      fc.record(
        {
          user: anyText,
          realm: anyText,
          nonce: anyText,
          response: anyText,
          algorithm: anyText,
          password: textOrNull,
        },
        { noNullPrototype: true },
      ),
    ),
    fault: textOrNull,
    fingerprint: textOrNull,
    tool: textOrNull,
  },
  { noNullPrototype: true },
)

test('any events come back from their bytes as they were, in as many batches as their nodes are', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 8 }), (events) => {
      const slabBytes = events.reduce((sum, event) => sum + slabBytesFor(event), 0)
      const back: BadActorEvent[] = []
      let open = openBatch(new ArrayBuffer(slabBytes), events[0] ?? assert.fail())
      for (const event of events) {
        if (open.add(event)) continue
        back.push(...unpack(open.batch))
        open = openBatch(new ArrayBuffer(slabBytes), event)
        assert.ok(open.add(event))
      }
      assert.deepEqual([...back, ...unpack(open.batch)], events)
    }),
  )
})

test('what a slab held before does not matter', () => {
  const slab = new Uint8Array(4_096).fill(0xff).buffer
  const events = [eventOf({ sipMessage: 'ASCII' }), eventOf({ sipMessage: 'é', userAgent: null })]
  const open = openBatch(slab, events[0] ?? assert.fail())
  for (const event of events) assert.ok(open.add(event))
  assert.deepEqual(unpack(open.batch), events)
})

for (const [what, sipMessage] of [
  ['ASCII', 'x'.repeat(65_536)],
  ['bytes that are no text', '\uef80'.repeat(65_536)],
  ['text that is one character short of ASCII', `${'x'.repeat(65_535)}é`],
  ['characters of four bytes', '😀'.repeat(16_384)],
] as const) {
  test(`a message of 64 KiB of ${what} fits exactly where it says that it fits, and takes two bytes a character at most`, () => {
    const event = eventOf({ sipMessage })
    const bytes = slabBytesFor(event)
    assert.ok(bytes < 2 * sipMessage.length + 1_024)
    assert.ok(!openBatch(new ArrayBuffer(bytes - 4), event).add(event))
    const open = openBatch(new ArrayBuffer(bytes), event)
    assert.ok(open.add(event))
    assert.deepEqual(unpack(open.batch), [event])
    assert.ok(!open.add(event))
    assert.equal(open.batch.count, 1)
  })
}

test('an event of another node, or collected in another way, is for another batch', () => {
  const event = eventOf()
  const open = openBatch(new ArrayBuffer(65_536), event)
  assert.ok(!open.add({ ...event, createdByNodeId: 'x' }))
  assert.ok(!open.add({ ...event, collectedMethod: 'responsive' }))
  assert.ok(open.add(event))
})
