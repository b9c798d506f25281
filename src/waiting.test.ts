// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unpack } from './event/packed.ts'
import { eventOf } from './store/sqlite/fixture.ts'
import { createWaitingRoom, type WaitingRoom } from './waiting.ts'

const MB = 1024 * 1024

function fill(room: WaitingRoom, sipMessage: string, most: number): number {
  for (let added = 0; added < most; added++) if (room.add(eventOf({ sipMessage }), null, 0) === null) return added
  return most
}

test('events leave in the order in which they came, in batches of one slab', () => {
  const room = createWaitingRoom(10_000, 64 * MB)
  const events = Array.from({ length: 5_000 }, (_, index) => eventOf({ userAgent: String(index) }))
  for (const event of events) room.add(event, null, 0)
  assert.equal(room.size(), 5_000)
  const left = []
  for (let batch = room.oldest(); batch !== null; batch = room.oldest()) {
    assert.ok(batch.packed.count <= 2_000 && batch.packed.slab.byteLength === MB)
    left.push(...unpack(batch.packed))
    room.leave()
  }
  assert.deepEqual(left, events)
  assert.deepEqual([room.size(), room.fullness()], [0, 0])
})

test('a batch that is on its way takes no more events', () => {
  const room = createWaitingRoom(10, MB)
  room.add(eventOf(), null, 0)
  const first = room.oldest()
  room.add(eventOf(), null, 0)
  assert.equal(first?.packed.count, 1)
  assert.equal(room.oldest(), first)
  room.leave()
  assert.equal(room.oldest()?.packed.count, 1)
})

for (const [what, sipMessage, maxBytes] of [
  ['short messages', 'x'.repeat(450), 4 * MB],
  ['messages of 64 KiB', 'x'.repeat(65_536), 8 * MB],
  ['messages of 64 KiB that are no text', '\uef80'.repeat(65_536), 8 * MB],
  ['messages larger than a slab', 'x'.repeat(2 * MB), 16 * MB],
] as const) {
  test(`the memory of ${what} is bounded, what the bound has room for is used, and all of it comes free`, () => {
    const room = createWaitingRoom(1_000_000, maxBytes)
    const most = fill(room, sipMessage, 1_000_000)
    const slabBytes = [...room.batches()].reduce((sum, { packed }) => sum + packed.slab.byteLength, 0)
    assert.ok(slabBytes <= maxBytes + 2 * Math.max(MB, 2 * sipMessage.length), `${slabBytes} bytes of slabs`)
    assert.ok(room.fullness() > 0.7, String(room.fullness()))
    for (let batch = room.oldest(); batch !== null; batch = room.oldest()) room.leave()
    assert.equal(room.fullness(), 0)
    assert.equal(fill(room, sipMessage, 1_000_000), most)
  })
}

test('slabs beyond a few go back when their batch is stored, without waiting for a collector', () => {
  const room = createWaitingRoom(1_000_000, 64 * MB)
  fill(room, 'x'.repeat(1_000), 1_000_000)
  const slabs = [...room.batches()].map(({ packed }) => packed.slab)
  assert.ok(slabs.length > 50)
  while (room.size() > 0) room.leave()
  assert.equal(slabs.filter(({ detached }) => !detached).length, 4)
})

test('a slab that a dead writer has kept is not used again', () => {
  const room = createWaitingRoom(10, MB)
  room.add(eventOf(), null, 0)
  structuredClone(room.oldest()?.packed.slab, { transfer: [room.oldest()?.packed.slab ?? assert.fail()] })
  room.leave()
  assert.ok(room.add(eventOf(), null, 0))
})

test('emptying tells everybody who was not told', () => {
  const room = createWaitingRoom(10, MB)
  const told: string[] = []
  for (const name of ['a', 'b', 'c']) room.add(eventOf(), () => told.push(name), 0)
  const batch = room.oldest() ?? assert.fail()
  batch.toldTo[1] = null
  room.clear((toldTo) => toldTo('dropped', null))
  assert.deepEqual(told, ['a', 'c'])
  assert.equal(room.size(), 0)
})
