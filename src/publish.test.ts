// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BadActorEvent } from './event/event.ts'
import { type PackedBatch, unpack } from './event/packed.ts'
import type { Clock } from './ops/clock.ts'
import { createCounters } from './ops/counters.ts'
import { createPublisher, type PublisherOptions } from './publish.ts'
import { createFeed, type SinkFeed } from './sinks/feed.ts'
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
      async append(batch: PackedBatch) {
        if (state.refusing) throw new Error('database is locked')
        batches.push(unpack(batch))
        rows += batch.count
        return rows - batch.count + 1
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
  const events = Array.from({ length: 25 }, (_, host) => eventOf({ sourceIp: `198.51.100.${host}` }))
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
  for (let host = 0; host < 100; host++) {
    publisher.publish(eventOf({ sourceIp: `198.51.100.${host}`, sipMessage: 'x'.repeat(65_000) }), ignore)
  }
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
  const { publisher } = publisherWith({ ...memoryStore(), maxPending: 6 })
  const told: unknown[] = []
  const publish = (name: string) => publisher.publish(eventOf(), (...outcome) => told.push([name, ...outcome]))
  for (const name of ['first', 'second', 'third']) publish(name)
  publisher.publish(eventOf({ sipMessage: 'x'.repeat(65 * 1024 * 1024) }), (...outcome) =>
    told.push(['fourth', ...outcome]),
  )
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
  const append = async (batch: PackedBatch) => order.push(`append ${batch.count}`)
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

/** A publisher whose store is locked, with room for a hundred events, and so many in it, each of a source of its own. */
function filledWith(count: number, options: Partial<PublisherOptions> = {}) {
  const store = memoryStore()
  store.state.refusing = true
  const { publisher, counters, lines } = publisherWith({ ...store, maxPending: 100, ...options })
  for (let host = 0; host < count; host++) publisher.publish(eventOf({ sourceIp: `203.0.113.${host}` }), ignore)
  const outcomeOf = (event: BadActorEvent) => {
    const outcomes: (string | null)[] = []
    publisher.publish(event, (outcome) => outcomes.push(outcome))
    return outcomes[0] ?? 'waits'
  }
  const rows = async () => {
    store.state.refusing = false
    await publisher.stop(5_000)
    return store.batches.flat()
  }
  return { publisher, counters, lines, store, outcomeOf, rows }
}

const HEAD = 'OPTIONS sip:100@192.0.2.1 SIP/2.0\r\nVia: x\r\n\r\n'
const probe = (changes: Parameters<typeof eventOf>[0] = {}) =>
  eventOf({ method: 'OPTIONS', calledNumber: '100', sipMessage: `${HEAD}the body`, ...changes })

for (const [percent, outcome, message, what] of [
  [49, 'waits', `${HEAD}the body`, 'will be answered'],
  [50, 'late', `${HEAD}the body`, 'is stored whole and not answered'],
  [60, 'late', HEAD, 'is stored without its body, and says so'],
  [95, 'late', HEAD, 'of a new source is stored all the same'],
  [100, 'dropped', null, 'is dropped'],
] as const) {
  test(`what comes while the room for events is ${percent} % full ${what}`, async () => {
    const { counters, outcomeOf, rows } = filledWith(percent)
    assert.equal(outcomeOf(probe()), outcome)
    const row = (await rows())[percent]
    assert.equal(row?.sipMessage ?? null, message)
    assert.equal(row?.fault?.startsWith(`truncated at character ${HEAD.length}: `) ?? false, message === HEAD)
    assert.equal(counters.get('leftOutBodies'), message === HEAD ? 1 : 0)
    assert.equal(counters.get('leftOutReplies'), Math.max(0, Math.min(percent + 1, 100) - 50))
    assert.equal(counters.get('eventsStored') + counters.get('droppedQueueFull'), percent + 1)
  })
}

test('an overload folds repeated probes into the row of the first one, exactly', async () => {
  const { publisher, counters, store, outcomeOf, rows } = filledWith(75)
  assert.equal(outcomeOf(probe()), 'late')
  for (let again = 0; again < 7; again++) assert.equal(outcomeOf(probe()), 'dropped')
  for (const other of [probe({ calledNumber: '101' }), probe({ sourceIp: '198.51.100.8' }), eventOf(), eventOf()])
    assert.equal(outcomeOf(other), 'late')
  const credentials = { user: '100', realm: 'r', nonce: 'n', response: '0f', algorithm: 'MD5', password: null }
  for (let login = 0; login < 2; login++)
    assert.equal(outcomeOf(eventOf({ method: 'REGISTER', credentials })), 'late', 'a password is evidence every time')
  assert.equal(publisher.pending(), 82)
  assert.equal((await rows()).length, 82)
  assert.deepEqual(store.amended.flat(), [{ honeyId: 76, retransmissions: 7 }])
  assert.equal(counters.get('eventsFolded'), 7)
})

test('a room that is nearly full has places for new sources and for calls to new numbers only', async () => {
  const { counters, outcomeOf, rows } = filledWith(92)
  const known = { sourceIp: '203.0.113.60' }
  assert.equal(outcomeOf(eventOf({ ...known, method: 'SUBSCRIBE', calledNumber: '7' })), 'dropped')
  assert.equal(outcomeOf(eventOf({ ...known, method: 'INVITE' })), 'dropped', 'the number is known')
  assert.equal(outcomeOf(eventOf({ ...known, method: 'INVITE', calledNumber: '0099' })), 'late')
  assert.equal(outcomeOf(eventOf({ ...known, method: 'INVITE', calledNumber: '0099' })), 'dropped')
  assert.equal(outcomeOf(eventOf({ ...known, method: 'INVITE', requestUser: '0098' })), 'late')
  assert.equal(outcomeOf(eventOf({ sourceIp: '198.51.100.9', method: 'SUBSCRIBE' })), 'late')
  assert.equal(outcomeOf(eventOf({ sourceIp: '2001:db8::1', method: 'SUBSCRIBE' })), 'late')
  assert.equal(outcomeOf(eventOf({ sourceIp: '2001:db8::2', method: 'SUBSCRIBE' })), 'dropped', 'of the same /64')
  assert.equal(counters.get('droppedOverload'), 4)
  assert.equal((await rows()).length, 96)
})

test('when an overload is over everything is as before it', async () => {
  const { publisher, store, outcomeOf } = filledWith(95)
  store.state.refusing = false
  while (publisher.pending() > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  store.state.refusing = true
  assert.equal(outcomeOf(probe({ sourceIp: '203.0.113.80' })), 'waits')
  assert.equal(outcomeOf(probe({ sourceIp: '203.0.113.80' })), 'waits')
  await publisher.stop(0)
})

test('answers that became too late while the store refuses are let go before the events are stored', async () => {
  let nowMs = 0
  const { publisher, counters } = filledWith(0, { clock: { ...clock, steadyMs: () => nowMs } })
  const outcomes: unknown[] = []
  publisher.publish(eventOf({ transport: 'UDP' }), (outcome, id) => outcomes.push(['UDP', outcome, id]))
  publisher.publish(eventOf({ transport: 'TCP' }), (outcome, id) => outcomes.push(['TCP', outcome, id]))
  while (counters.get('storeFailures') === 0) await nextTurn()
  assert.deepEqual(outcomes, [])
  nowMs = 2_001
  while (outcomes.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.deepEqual(outcomes, [['UDP', 'late', null]])
  assert.equal(publisher.pending(), 2)
  assert.equal(counters.get('repliesExpired'), 1)
  await publisher.stop(0)
  assert.deepEqual(outcomes.at(-1), ['TCP', 'dropped', null])
  assert.equal(counters.get('droppedStop'), 2)
})

test('how often the message of an event came again until its answer was let go is told with its row', async () => {
  let nowMs = 0
  const store = memoryStore()
  store.state.refusing = true
  const { publisher } = publisherWith({ ...store, clock: { ...clock, steadyMs: () => nowMs } })
  const told: string[] = []
  for (const count of [0, 5]) {
    publisher.publish(eventOf({ transport: 'UDP' }), (outcome, _, cameAgain) => {
      told.push(outcome)
      if (count > 0) cameAgain?.(count)
    })
  }
  nowMs = 2_001
  while (told.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.deepEqual(told, ['late', 'late'])
  store.state.refusing = false
  await publisher.stop(5_000)
  assert.deepEqual(store.amended, [[{ honeyId: 2, retransmissions: 5 }]])
})

test('answers that wait are bounded in number, and the events beyond are stored without', async () => {
  const { counters, outcomeOf, rows } = filledWith(0, { maxAnswers: 2 })
  assert.deepEqual(
    [1, 2, 3].map(() => outcomeOf(eventOf())),
    ['waits', 'waits', 'late'],
  )
  assert.equal(counters.get('leftOutReplies'), 1)
  assert.equal((await rows()).length, 3)
})

test('sinks get the events as they came', async () => {
  const offered: BadActorEvent[] = []
  const feed: SinkFeed = { ...idleFeed(), offer: (batch) => void offered.push(...batch) }
  const { publisher } = publisherWith({ ...memoryStore(), feeds: [feed] })
  const events = [
    eventOf({ userAgent: null }),
    eventOf({ userAgent: '' }),
    eventOf({ sipMessage: 'Grüße \uef80 \ud800' }),
  ]
  for (const event of events) publisher.publish(event, ignore)
  await publisher.stop(1_000)
  assert.deepEqual(offered, events)
})

function idleFeed(): SinkFeed {
  const sink = { name: 'idle', deliver: async () => {}, stop: async () => {} }
  return createFeed(sink, publisherWith(memoryStore()).log, clock.steadyMs)
}

test('a writer that does not answer any more holds up no stop', async () => {
  const append = () => new Promise<number>(() => {})
  const { publisher, counters } = publisherWith({ writer: { ...memoryStore().writer, append } })
  publisher.publish(eventOf(), ignore)
  await nextTurn()
  const startMs = performance.now()
  await publisher.stop(10)
  assert.ok(performance.now() - startMs < 500, 'the time given is all there is')
  assert.equal(counters.get('droppedStop'), 1)
})

test('an event that a stop gave up is told of once, and counted once, also when its commit succeeds after all', async () => {
  const commit = Promise.withResolvers<number>()
  const { publisher, counters } = publisherWith({ writer: { ...memoryStore().writer, append: () => commit.promise } })
  const fates: string[] = []
  publisher.publish(eventOf(), (outcome) => fates.push(outcome))
  await nextTurn()
  await publisher.stop(10)
  commit.resolve(1)
  await publisher.stop(1_000) // until all that follows the commit is done
  assert.deepEqual(fates, ['dropped'])
  assert.deepEqual([counters.get('eventsStored'), counters.get('droppedStop'), publisher.pending()], [0, 1, 0])
})
