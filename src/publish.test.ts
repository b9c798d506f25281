// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BadActorEvent } from './event/event.ts'
import type { Clock } from './ops/clock.ts'
import { createCounters } from './ops/counters.ts'
import { createPublisher, type PublisherOptions } from './publish.ts'
import { createFeed } from './sinks/feed.ts'
import type { Sink } from './sinks/sink.ts'
import { eventOf } from './store/sqlite/fixture.ts'
import type { Retransmissions } from './store/store.ts'

const ignore = () => {}
const clock: Clock = { wallMs: () => Date.now(), steadyMs: () => performance.now() }

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

function publisherWith(options: Pick<PublisherOptions, 'writer'> & Partial<PublisherOptions>) {
  const lines: string[] = []
  const print = (text: string) => lines.push(text)
  const log = { warn: print, notice: print, info: print, debug: print }
  const counters = createCounters()
  return { publisher: createPublisher({ feeds: [], counters, clock, log, ...options }), counters, lines, log }
}

/** A store that keeps what it takes, and refuses as long as `refusing` says so. */
function memoryStore() {
  const batches: (readonly BadActorEvent[])[] = []
  const amended: (readonly Retransmissions[])[] = []
  const state = { refusing: false, refusingAmends: false, amendsTried: 0 }
  let rows = 0
  return {
    batches,
    amended,
    state,
    writer: {
      async append(batch: readonly BadActorEvent[]) {
        if (state.refusing) throw new Error('database is locked')
        batches.push([...batch])
        rows += batch.length
        return rows - batch.length + 1
      },
      async amend(counts: readonly Retransmissions[]) {
        state.amendsTried++
        if (state.refusing || state.refusingAmends) throw new Error('database is locked')
        amended.push(counts)
      },
      async close() {},
    },
  }
}

test('a reply goes out after the commit of its event, never before', async () => {
  const commit = Promise.withResolvers<number>()
  const { publisher } = publisherWith({ writer: { ...memoryStore().writer, append: () => commit.promise } })
  const order: string[] = []
  publisher.publish(eventOf(), () => order.push('reply'))
  await nextTurn()
  order.push('commit')
  commit.resolve(1)
  await publisher.stop(1_000)
  assert.deepEqual(order, ['commit', 'reply'])
})

test('what arrives while the store is busy makes one batch, in order', async () => {
  const store = memoryStore()
  const { publisher, counters } = publisherWith(store)
  const events = Array.from({ length: 50 }, () => eventOf())
  for (const event of events) publisher.publish(event, ignore)
  await publisher.stop(1_000)
  assert.equal(store.batches.length, 1)
  assert.deepEqual(store.batches.flat(), events)
  assert.equal(counters.get('eventsStored'), 50)
})

test('a store that refuses for a while costs nothing: everything is stored once, and the trouble is told and over', async () => {
  const store = memoryStore()
  store.state.refusing = true
  const { publisher, counters, lines } = publisherWith(store)
  let replies = 0
  publisher.publish(eventOf(), () => replies++)
  while (counters.get('storeFailures') === 0) await nextTurn()
  assert.match(publisher.trouble()?.reason ?? '', /locked/)
  publisher.publish(eventOf(), () => replies++)
  store.state.refusing = false
  await publisher.stop(5_000)
  assert.equal(store.batches.flat().length, 2)
  assert.equal(replies, 2)
  assert.equal(publisher.trouble(), null)
  assert.match(lines.join('\n'), /Cannot store events, keeping 1 in memory[\s\S]*takes events again/)
})

test('beyond the bound the newest events are dropped and counted, and the oldest are kept', async () => {
  const store = memoryStore()
  store.state.refusing = true
  const { publisher, counters } = publisherWith({ ...store, maxPending: 10 })
  const events = Array.from({ length: 25 }, () => eventOf())
  for (const event of events) publisher.publish(event, ignore)
  assert.equal(counters.get('droppedQueueFull'), 15)
  store.state.refusing = false
  await publisher.stop(5_000)
  assert.deepEqual(store.batches.flat(), events.slice(0, 10))
})

test('the bound counts bytes too: 64 KiB messages cannot fill the memory', () => {
  const store = memoryStore()
  store.state.refusing = true
  const { publisher, counters } = publisherWith({ ...store, maxPendingBytes: 1_000_000 })
  for (let index = 0; index < 100; index++) publisher.publish(eventOf({ sipMessage: 'x'.repeat(65_000) }), ignore)
  assert.equal(publisher.pending(), 15)
  assert.equal(counters.get('droppedQueueFull'), 85)
  void publisher.stop(0)
})

test('stopping gives a store that never recovers up in time, and counts what is lost', async () => {
  const store = memoryStore()
  store.state.refusing = true
  const { publisher, counters, lines } = publisherWith(store)
  for (let index = 0; index < 3; index++) publisher.publish(eventOf(), ignore)
  await publisher.stop(100)
  assert.equal(counters.get('droppedStop'), 3)
  assert.match(lines.at(-1) ?? '', /3 events could not be stored/)
})

test('a sink that always fails, and one that hangs, do not stop the others or the rows', async () => {
  const store = memoryStore()
  const { log } = publisherWith(store)
  const taken: BadActorEvent[] = []
  const sink = (name: string, deliver: Sink['deliver']): Sink => ({ name, deliver, stop: async () => {} })
  const failing = createFeed(
    sink('failing', () => Promise.reject(new Error('no'))),
    log,
    clock.steadyMs,
  )
  const hanging = createFeed(
    sink('hanging', () => new Promise(() => {})),
    log,
    clock.steadyMs,
  )
  const good = createFeed(
    sink('good', async (batch) => void taken.push(...batch)),
    log,
    clock.steadyMs,
  )
  const { publisher } = publisherWith({ ...store, feeds: [failing, hanging, good] })
  const events = Array.from({ length: 20 }, () => eventOf())
  for (const event of events) publisher.publish(event, ignore)
  await publisher.stop(1_000)
  await Promise.all([failing, hanging, good].map((feed) => feed.stop(50)))
  assert.deepEqual(store.batches.flat(), events)
  assert.deepEqual(taken, events)
  assert.equal(failing.report().dropped.get('failed'), 20)
  assert.equal(failing.report().lastError, 'no')
  assert.equal(good.report().delivered, 20)
})

test('a sink that does not keep up costs bounded memory, and what it missed is counted', () => {
  const { log } = publisherWith(memoryStore())
  const feed = createFeed(
    { name: 'slow', deliver: () => new Promise(() => {}), stop: async () => {} },
    log,
    clock.steadyMs,
  )
  const batch = Array.from({ length: 1_000 }, () => eventOf())
  for (let round = 0; round < 100; round++) feed.offer(batch)
  assert.ok(feed.report().queued <= 50_000)
  assert.ok((feed.report().dropped.get('queue_full') ?? 0) >= 49_000)
})

for (const [transport, waitedMs, outcome] of [
  ['UDP', 1_000, 'stored'],
  ['UDP', 9_000, 'late'],
  ['TCP', 9_000, 'stored'],
  ['TLS', 33_000, 'late'],
] as const) {
  test(`a packet over ${transport} whose commit took ${waitedMs} ms is ${outcome === 'late' ? 'stored and not answered' : 'answered'}`, async () => {
    let nowMs = 0
    const commit = Promise.withResolvers<number>()
    const writer = { ...memoryStore().writer, append: () => commit.promise }
    const { publisher, counters } = publisherWith({ writer, clock: { ...clock, steadyMs: () => nowMs } })
    const outcomes: string[] = []
    publisher.publish(eventOf({ transport }), (told) => outcomes.push(told))
    await nextTurn()
    nowMs = waitedMs
    commit.resolve(1)
    await publisher.stop(1_000)
    assert.deepEqual(outcomes, [outcome])
    assert.equal(counters.get('eventsStored'), 1)
  })
}

test('a dropped event is told of, so that its connection need not wait', async () => {
  const store = memoryStore()
  store.state.refusing = true
  const { publisher } = publisherWith({ ...store, maxPending: 1 })
  const outcomes: string[] = []
  for (let index = 0; index < 2; index++) publisher.publish(eventOf(), (told) => outcomes.push(`${index} ${told}`))
  assert.deepEqual(outcomes, ['1 dropped'])
  await publisher.stop(0)
  assert.deepEqual(outcomes, ['1 dropped', '0 dropped'])
})

test('an event is told the row that it is in, a dropped one none', async () => {
  const { publisher } = publisherWith({ ...memoryStore(), maxPending: 3 })
  const told: unknown[] = []
  const publish = (name: string) => publisher.publish(eventOf(), (...outcome) => told.push([name, ...outcome]))
  for (const name of ['first', 'second', 'third', 'fourth']) publish(name)
  await publisher.stop(1_000)
  publish('fifth')
  await publisher.stop(1_000)
  assert.deepEqual(told, [
    ['fourth', 'dropped', null],
    ['first', 'stored', 1],
    ['second', 'stored', 2],
    ['third', 'stored', 3],
    ['fifth', 'stored', 4],
  ])
})

test('what arrives again is added up and written once, also when no event comes', async () => {
  const store = memoryStore()
  const { publisher } = publisherWith(store)
  for (const honeyId of [7, 9, 7]) publisher.retransmitted(honeyId, 2)
  while (store.amended.length === 0) await nextTurn()
  await publisher.stop(1_000)
  assert.deepEqual(store.amended, [
    [
      { honeyId: 7, retransmissions: 4 },
      { honeyId: 9, retransmissions: 2 },
    ],
  ])
})

test('events are written before what arrived again', async () => {
  const order: string[] = []
  const amend = async () => void order.push('amend')
  const append = async (batch: readonly BadActorEvent[]) => order.push(`append ${batch.length}`)
  const { publisher } = publisherWith({ writer: { ...memoryStore().writer, append, amend } })
  publisher.retransmitted(1, 1)
  publisher.publish(eventOf(), ignore)
  publisher.publish(eventOf(), ignore)
  await publisher.stop(1_000)
  assert.deepEqual(order, ['append 2', 'amend'])
})

test('what arrives again while its row is written counts for the next time', async () => {
  const first = Promise.withResolvers<void>()
  const amends: (readonly Retransmissions[])[] = []
  const amend = async (counts: readonly Retransmissions[]) => {
    amends.push(counts)
    await first.promise
  }
  const { publisher } = publisherWith({ writer: { ...memoryStore().writer, amend } })
  publisher.retransmitted(1, 1)
  while (amends.length === 0) await nextTurn()
  publisher.retransmitted(1, 3)
  first.resolve()
  await publisher.stop(1_000)
  assert.deepEqual(amends, [[{ honeyId: 1, retransmissions: 1 }], [{ honeyId: 1, retransmissions: 3 }]])
})

test('counts that the store refuses hold up no event, and go with a later one', async () => {
  const store = memoryStore()
  store.state.refusingAmends = true
  const { publisher, counters, lines } = publisherWith(store)
  publisher.retransmitted(1, 1)
  while (counters.get('storeFailures') === 0) await nextTurn()
  const stored = Promise.withResolvers<void>()
  publisher.publish(eventOf(), () => stored.resolve())
  await stored.promise
  assert.equal(publisher.trouble(), null)
  assert.match(lines.join('\n'), /Cannot store how often messages arrived again.*locked/)
  store.state.refusingAmends = false
  publisher.retransmitted(1, 1)
  await publisher.stop(1_000)
  assert.deepEqual(store.amended, [[{ honeyId: 1, retransmissions: 2 }]])
})

test('stopping tries once to write what arrived again, and then gives it up', async () => {
  const store = memoryStore()
  store.state.refusingAmends = true
  const { publisher, counters } = publisherWith(store)
  publisher.retransmitted(1, 1)
  while (counters.get('storeFailures') === 0) await nextTurn()
  await publisher.stop(10_000)
  await publisher.stop(10_000)
  assert.equal(store.state.amendsTried, 2)
})

test('counts wait for a hundred thousand rows at most, and are written in bounded pieces', async () => {
  const store = memoryStore()
  const { publisher } = publisherWith(store)
  for (let honeyId = 1; honeyId <= 100_001; honeyId++) publisher.retransmitted(honeyId, 1)
  publisher.retransmitted(1, 1) // known already
  await publisher.stop(10_000)
  const written = store.amended.flat()
  assert.equal(written.length, 100_000)
  assert.equal(written[0]?.retransmissions, 2)
  assert.ok(store.amended.every((counts) => counts.length <= 2_000))
})
