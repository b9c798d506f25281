// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { BadActorEvent } from './event/event.ts'
import type { Clock } from './ops/clock.ts'
import type { Counters } from './ops/counters.ts'
import { reason } from './ops/errors.ts'
import { createRepeatedNotice, type Log } from './ops/log.ts'
import type { SinkFeed } from './sinks/feed.ts'
import type { EventWriter } from './store/store.ts'

/*
 * The one place where an event becomes a row and then notifications. Row first: a batch is committed, then its replies
 * go out ("answered means stored"), then each sink is fed on its own.
 *
 * Group commit without a timer: while the writer is busy, events gather, and it takes all of them as soon as it is
 * free. A lone event is committed at once, a flood makes large batches.
 *
 * A batch that the store refuses stays and is tried again, so a database that is locked or a disk that is full costs
 * nothing until the bounds are reached. Then the newest events are dropped and counted.
 */

const MAX_BATCH = 2_000 // chosen: about 20 ms of writing, so that stopping and failing are never far away
const FIRST_RETRY_MS = 50
const MAX_RETRY_MS = 2_000
const REPLY_EXPIRES_MS = 32_000 // RFC 3261 §17.1.2.2: Timer F, after which no client waits any more
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
  /** Takes an event; `onStored` runs after its commit, and never if it is dropped. Does not throw or wait. */
  publish(event: BadActorEvent, onStored: (() => void) | null): void
  /** Null while the store takes events. */
  trouble(): StoreTrouble | null
  pending(): number
  /** Stores what is waiting, until `withinMs` have passed; what is left then is dropped and counted. */
  stop(withinMs: number): Promise<void>
}

interface Waiting {
  readonly event: BadActorEvent
  readonly onStored: (() => void) | null
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
  let running: Promise<void> | null = null
  let trouble: StoreTrouble | null = null
  let giveUp: AbortController | null = null
  const warn = createRepeatedNotice(log.warn, NOTICE_EVERY_MS, clock.steadyMs)

  async function run(): Promise<void> {
    await nextTurn() // what was read from the sockets in this turn of the event loop makes one batch
    while (waiting.length > 0) {
      const batch = waiting.slice(0, MAX_BATCH)
      if (!(await stored(batch.map(({ event }) => event)))) return
      waiting = waiting.slice(batch.length)
      for (const { event } of batch) waitingBytes -= event.sipMessage.length
      counters.add('eventsStored', batch.length)
      answer(batch)
      for (const feed of feeds) feed.offer(batch.map(({ event }) => event))
    }
  }

  /** Tries until the store takes the batch; false when stopping gives it up. */
  async function stored(events: readonly BadActorEvent[]): Promise<boolean> {
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, MAX_RETRY_MS)) {
      try {
        await writer.append(events)
        if (trouble !== null) log.notice('The database takes events again')
        trouble = null
        return true
      } catch (error) {
        counters.add('storeFailures')
        trouble ??= { reason: reason(error), sinceMs: clock.steadyMs() }
        warn(`Cannot store events, keeping ${waiting.length} in memory and trying again: ${reason(error)}`)
        if (giveUp?.signal.aborted) return false
        await delay(waitMs, giveUp?.signal)
        if (giveUp?.signal.aborted) return false // another try may hold up the stop for as long as a lock is waited for
      }
    }
  }

  function answer(batch: readonly Waiting[]): void {
    const nowMs = clock.steadyMs()
    for (const { onStored, atMs } of batch) {
      if (onStored === null) continue
      if (nowMs - atMs > REPLY_EXPIRES_MS) counters.add('repliesExpired')
      else onStored()
    }
  }

  return {
    publish(event, onStored) {
      if (waiting.length >= maxPending || waitingBytes + event.sipMessage.length > maxPendingBytes) {
        counters.add('droppedQueueFull')
        warn('Dropping new events: the database has not taken any for too long')
        return
      }
      waiting.push({ event, onStored, atMs: clock.steadyMs() })
      waitingBytes += event.sipMessage.length
      running ??= run().finally(() => {
        running = null
      })
    },
    trouble: () => trouble,
    pending: () => waiting.length,
    async stop(withinMs) {
      giveUp = new AbortController()
      const deadline = setTimeout(() => giveUp?.abort(), withinMs)
      await running
      clearTimeout(deadline)
      if (waiting.length === 0) return
      counters.add('droppedStop', waiting.length)
      log.warn(`${waiting.length} events could not be stored before stopping and are lost`)
      waiting = []
      waitingBytes = 0
    },
  }
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
