// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { BadActorEvent, OnSettled } from './event/event.ts'
import type { Clock } from './ops/clock.ts'
import type { Counters } from './ops/counters.ts'
import { reason } from './ops/errors.ts'
import { createRepeatedNotice, type Log } from './ops/log.ts'
import type { SinkFeed } from './sinks/feed.ts'
import type { EventWriter, Retransmissions } from './store/store.ts'

/*
 * The one place where an event becomes a row and then notifications. Row first: a batch is committed, then its replies
 * go out ("answered means stored"), then each sink is fed on its own.
 *
 * Group commit without a timer: while the writer is busy, events gather, and it takes all of them as soon as it is
 * free. A lone event is committed at once, a flood makes large batches.
 *
 * A batch that the store refuses stays and is tried again, so a database that is locked or a disk that is full costs
 * nothing until the bounds are reached. Then the newest events are dropped and counted.
 *
 * A message that arrives again is no event: its row is told how often, after the events that wait. Counts that the
 * store refuses stay for the next time that something is written, and hold up nothing.
 */

const MAX_BATCH = 2_000 // chosen: about 20 ms of writing, so that stopping and failing are never far away
const MAX_REPEATED_ROWS = 100_000 // chosen, as for events: what a store that refuses for long may cost in memory
const FIRST_RETRY_MS = 50
const MAX_RETRY_MS = 2_000
// How old a packet may be and still be answered. Streams: RFC 3261 §17.1.2.2, Timer F, after which no client waits any
// more. UDP: clients ask again by then, and what a source may be sent is counted against what it sent just before.
const ANSWERED_WITHIN_MS = { UDP: 2_000, TCP: 32_000, TLS: 32_000 } as const
const NOTICE_EVERY_MS = 10_000

export interface PublisherOptions {
  readonly writer: EventWriter
  readonly feeds: readonly SinkFeed[]
  readonly counters: Counters
  readonly clock: Clock
  readonly log: Log
  /** Bounds of what waits for the store: events, and bytes of their messages. */
  readonly maxPending?: number
  readonly maxPendingBytes?: number
}

/** Why events cannot be stored at the moment. */
export interface StoreTrouble {
  readonly reason: string
  readonly sinceMs: number
}

export interface Publisher {
  /** Takes an event; `onSettled` is called once, when its fate is known. Does not throw or wait. */
  publish(event: BadActorEvent, onSettled: OnSettled): void
  /** The message of this row arrived `count` more times. Does not throw or wait; may be lost. */
  retransmitted(honeyId: number, count: number): void
  /** Null while the store takes events. */
  trouble(): StoreTrouble | null
  pending(): number
  /** Stores what is waiting, until `withinMs` have passed; what is left then is dropped and counted. */
  stop(withinMs: number): Promise<void>
}

interface Waiting {
  readonly event: BadActorEvent
  readonly onSettled: OnSettled
  readonly atMs: number
}

export function createPublisher({
  writer,
  feeds,
  counters,
  clock,
  log,
  maxPending = 100_000,
  maxPendingBytes = 64 * 1024 * 1024,
}: PublisherOptions): Publisher {
  let waiting: Waiting[] = []
  let waitingBytes = 0
  const repeated = new Map<number, number>() // how often, by honeyId
  let running: Promise<void> | null = null
  let trouble: StoreTrouble | null = null
  let giveUp: AbortController | null = null
  const warn = createRepeatedNotice(log.warn, NOTICE_EVERY_MS, clock.steadyMs)

  function start(): void {
    running ??= run()
  }

  async function run(): Promise<void> {
    try {
      await nextTurn() // what was read from the sockets in this turn of the event loop makes one batch
      let amended = true
      while (waiting.length > 0 || (amended && repeated.size > 0)) {
        if (waiting.length > 0 && !(await storeBatch())) return
        amended = await amend()
      }
    } finally {
      running = null
    }
  }

  /** False when stopping gives the batch up. */
  async function storeBatch(): Promise<boolean> {
    const batch = waiting.slice(0, MAX_BATCH)
    const firstId = await stored(batch.map(({ event }) => event))
    if (firstId === null) return false
    waiting = waiting.slice(batch.length)
    for (const { event } of batch) waitingBytes -= event.sipMessage.length
    counters.add('eventsStored', batch.length)
    settle(batch, firstId)
    for (const feed of feeds) feed.offer(batch.map(({ event }) => event))
    return true
  }

  /** Tries until the store takes the batch, and gives its first honeyId; null when stopping gives it up. */
  async function stored(events: readonly BadActorEvent[]): Promise<number | null> {
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, MAX_RETRY_MS)) {
      try {
        const firstId = await writer.append(events)
        if (trouble !== null) log.notice('The database takes events again')
        trouble = null
        return firstId
      } catch (error) {
        counters.add('storeFailures')
        trouble ??= { reason: reason(error), sinceMs: clock.steadyMs() }
        warn(`Cannot store events, keeping ${waiting.length} in memory and trying again: ${reason(error)}`)
        if (giveUp?.signal.aborted) return null
        await delay(waitMs, giveUp?.signal)
        if (giveUp?.signal.aborted) return null // another try may hold up the stop for as long as a lock is waited for
      }
    }
  }

  /** One try; false when there is nothing to gain from another one now. */
  async function amend(): Promise<boolean> {
    if (repeated.size === 0) return true
    if (giveUp?.signal.aborted) return false
    const counts = firstOf(repeated)
    try {
      await writer.amend(counts)
    } catch (error) {
      counters.add('storeFailures')
      warn(`Cannot store how often messages arrived again, trying again later: ${reason(error)}`)
      return false
    }
    for (const { honeyId, retransmissions } of counts) {
      const left = (repeated.get(honeyId) ?? 0) - retransmissions // more may have come meanwhile
      if (left > 0) repeated.set(honeyId, left)
      else repeated.delete(honeyId)
    }
    return true
  }

  function settle(batch: readonly Waiting[], firstId: number): void {
    const nowMs = clock.steadyMs()
    for (const [index, { event, onSettled, atMs }] of batch.entries()) {
      const late = nowMs - atMs > ANSWERED_WITHIN_MS[event.transport]
      if (late) counters.add('repliesExpired')
      onSettled(late ? 'late' : 'stored', firstId + index)
    }
  }

  return {
    publish(event, onSettled) {
      if (waiting.length >= maxPending || waitingBytes + event.sipMessage.length > maxPendingBytes) {
        counters.add('droppedQueueFull')
        warn('Dropping new events: the database has not taken any for too long')
        onSettled('dropped', null)
        return
      }
      waiting.push({ event, onSettled, atMs: clock.steadyMs() })
      waitingBytes += event.sipMessage.length
      start()
    },
    retransmitted(honeyId, count) {
      const before = repeated.get(honeyId)
      if (before === undefined && repeated.size >= MAX_REPEATED_ROWS) return
      repeated.set(honeyId, (before ?? 0) + count)
      start()
    },
    trouble: () => trouble,
    pending: () => waiting.length,
    async stop(withinMs) {
      giveUp = new AbortController()
      const deadline = setTimeout(() => giveUp?.abort(), withinMs)
      if (repeated.size > 0) start()
      await running
      clearTimeout(deadline)
      repeated.clear()
      if (waiting.length === 0) return
      counters.add('droppedStop', waiting.length)
      log.warn(`${waiting.length} events could not be stored before stopping and are lost`)
      for (const { onSettled } of waiting) onSettled('dropped', null)
      waiting = []
      waitingBytes = 0
    },
  }
}

function firstOf(repeated: ReadonlyMap<number, number>): Retransmissions[] {
  return [...repeated.entries().take(MAX_BATCH)].map(([honeyId, retransmissions]) => ({ honeyId, retransmissions }))
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Resolves after `ms`, or at once when `signal` aborts. */
function delay(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    signal?.addEventListener('abort', done)
  })
}
