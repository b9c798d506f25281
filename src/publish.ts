// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createCommitPace, GATHER_MS } from './commit-pace.ts'
import type { BadActorEvent, OnSettled } from './event/event.ts'
import { unpack } from './event/packed.ts'
import type { Clock } from './ops/clock.ts'
import type { Counters } from './ops/counters.ts'
import { reason } from './ops/errors.ts'
import { createRepeatedNotice, type Log } from './ops/log.ts'
import { createOverload, withoutBody } from './overload.ts'
import type { SinkFeed } from './sinks/feed.ts'
import type { EventWriter, Retransmissions } from './store/store.ts'
import { createWaitingRoom, type WaitingBatch } from './waiting.ts'

/*
 * The one place where an event becomes a row and then notifications. Row first: a batch is committed, then its replies
 * go out ("answered means stored"), then each sink is fed on its own.
 *
 * An event is packed into bytes when it comes. They are what waits, what crosses to the store's thread, and what the
 * sinks' events are made of again.
 *
 * Group commit: while the writer is busy, events gather, and it takes all of them as soon as it is free. A lone event is
 * committed at once, a flood makes large batches; between the two, commits of few events that follow one another wait a
 * millisecond for more (commit-pace.ts). Of a committed batch is told while the writer has the next one.
 *
 * A batch that the store refuses stays and is tried again, so a database that is locked or a disk that is full costs
 * nothing until the bounds are reached. On the way there more and more is left out (overload.ts), and answers that are
 * too late are let go with all that they would have needed. At the bounds the newest events are dropped and counted.
 *
 * A message that arrives again is no event: its row is told how often, after the events that wait. Counts that the
 * store refuses stay for the next time that something is written, and hold up nothing.
 */

const MAX_AMENDED = 2_000 // chosen, as for events: stopping and failing are never far away
const MAX_REPEATED_ROWS = 100_000 // chosen, as for events: what a store that refuses for long may cost in memory
const FIRST_RETRY_MS = 50
const MAX_RETRY_MS = 2_000
// How old a packet may be and still be answered. Streams: RFC 3261 §17.1.2.2, Timer F, after which no client waits any
// more. UDP: clients ask again by then, and what a source may be sent is counted against what it sent just before.
const ANSWERED_WITHIN_MS = { UDP: 2_000, TCP: 32_000, TLS: 32_000 } as const
const NOTICE_EVERY_MS = 10_000
const IN_FLIGHT_MS = 600 // for a batch that the writer has at the last moment: at a stop it gives up a lock after 200 ms

export interface PublisherOptions {
  readonly writer: EventWriter
  readonly feeds: readonly SinkFeed[]
  readonly counters: Counters
  readonly clock: Clock
  readonly log: Log
  /** Whether stored events are answered at all. */
  readonly answers?: boolean
  /** Bounds of what waits for the store: events, bytes of them, and events that may still be answered. */
  readonly maxPending?: number
  readonly maxPendingBytes?: number
  readonly maxAnswers?: number
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
  /** How much of the room for events is taken, from 0 to 1. */
  fullness(): number
  /** Stores what is waiting, and resolves before `withinMs` have passed; what is left then is dropped and counted. */
  stop(withinMs: number): Promise<void>
}

/** A batch whose senders and sinks were not told yet. */
interface Committed {
  readonly batch: WaitingBatch
  readonly firstId: number
  readonly events: readonly BadActorEvent[]
}

export function createPublisher({
  writer,
  feeds,
  counters,
  clock,
  log,
  answers = true,
  maxPending = 100_000,
  maxPendingBytes = 64 * 1024 * 1024,
  maxAnswers = maxPending,
}: PublisherOptions): Publisher {
  const room = createWaitingRoom(maxPending, maxPendingBytes)
  const overload = createOverload()
  let untold = 0 // events that wait and whose sender may still be answered
  const repeated = new Map<number, number>() // how often, by honeyId
  let running: Promise<void> | null = null
  let trouble: StoreTrouble | null = null
  let giveUp: AbortController | null = null
  const warn = createRepeatedNotice(log.warn, NOTICE_EVERY_MS, clock.steadyMs)
  const shouldGather = createCommitPace(clock.steadyMs)

  function start(): void {
    running ??= run()
  }

  async function run(): Promise<void> {
    try {
      await nextTurn() // what was read from the sockets in this turn of the event loop makes one batch
      let amended = true
      let committed: Committed | null = null
      for (;;) {
        if (room.size() > 0 && shouldGather()) {
          if (committed !== null) tellOf(committed)
          committed = null
          await delay(GATHER_MS, giveUp?.signal)
        }
        const batch = room.oldest()
        const storing = batch === null ? null : stored(batch)
        if (committed !== null) tellOf(committed) // while the writer is at the next batch already
        committed = null
        if (batch !== null) {
          const firstId = await storing
          if (firstId === null) return
          if (room.oldest() !== batch) continue // too late for a stop, which has told of it and counted it as lost
          committed = leave(batch, firstId)
          if (repeated.size === 0) continue
          tellOf(committed)
          committed = null
        } else if (!amended || repeated.size === 0) {
          if (room.size() === 0) return
          continue
        }
        amended = await amend()
      }
    } finally {
      running = null
    }
  }

  /** The batch is committed: its place in the room is free. */
  function leave(batch: WaitingBatch, firstId: number): Committed {
    counters.add('eventsStored', batch.packed.count)
    for (const { honeyId, retransmissions } of overload.stored(batch, firstId)) addRepeated(honeyId, retransmissions)
    for (const [index, count] of batch.cameAgain) addRepeated(firstId + index, count)
    const events = feeds.length > 0 ? unpack(batch.packed) : []
    room.leave()
    return { batch, firstId, events }
  }

  /** Its answers go out, and the sinks get it. */
  function tellOf({ batch, firstId, events }: Committed): void {
    settle(batch, firstId)
    if (events.length > 0) for (const feed of feeds) feed.offer(events)
  }

  /** Tries until the store takes the batch, and gives its first honeyId; null when stopping gives it up. */
  async function stored({ packed }: WaitingBatch): Promise<number | null> {
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, MAX_RETRY_MS)) {
      try {
        const firstId = await writer.append(packed)
        if (trouble !== null) log.notice('The database takes events again')
        trouble = null
        return firstId
      } catch (error) {
        counters.add('storeFailures')
        trouble ??= { reason: reason(error), sinceMs: clock.steadyMs() }
        warn(`Cannot store events, keeping ${room.size()} in memory and trying again: ${reason(error)}`)
        if (giveUp?.signal.aborted) return null
        letGoOfLateOnes()
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

  function addRepeated(honeyId: number, count: number): void {
    const before = repeated.get(honeyId)
    if (before === undefined && repeated.size >= MAX_REPEATED_ROWS) return
    repeated.set(honeyId, (before ?? 0) + count)
  }

  function settle({ toldTo, answerUntilMs }: WaitingBatch, firstId: number): void {
    const nowMs = clock.steadyMs()
    for (const [index, onSettled] of toldTo.entries()) {
      if (onSettled === null) continue
      toldTo[index] = null
      untold--
      const isLate = nowMs > (answerUntilMs[index] ?? 0)
      if (isLate && answers) counters.add('repliesExpired')
      onSettled(isLate ? 'late' : 'stored', firstId + index)
    }
  }

  /** What an answer needs is most of what an event has on the heap. */
  function letGoOfLateOnes(): void {
    const nowMs = clock.steadyMs()
    for (const { toldTo, answerUntilMs, cameAgain } of room.batches()) {
      for (const [index, onSettled] of toldTo.entries()) {
        if (onSettled === null || nowMs <= (answerUntilMs[index] ?? 0)) continue
        toldTo[index] = null
        untold--
        if (answers) counters.add('repliesExpired')
        onSettled('late', null, (count) => cameAgain.set(index, count))
      }
    }
  }

  function drop(why: 'droppedQueueFull' | 'droppedOverload' | 'eventsFolded', onSettled: OnSettled): void {
    counters.add(why)
    if (why === 'droppedQueueFull') warn('Dropping new events: the database has not taken any for too long')
    onSettled('dropped', null)
  }

  return {
    publish(event, onSettled) {
      const admission = overload.admit(event, room.fullness())
      if (admission === 'repeated') return drop('eventsFolded', onSettled)
      if (admission === 'known') return drop('droppedOverload', onSettled)
      const mayAnswer = admission === 'whole' && untold < maxAnswers
      const bare = admission === 'bare' ? withoutBody(event) : null
      const answerUntilMs = clock.steadyMs() + ANSWERED_WITHIN_MS[event.transport]
      const batch = room.add(bare ?? event, mayAnswer ? onSettled : null, answerUntilMs)
      if (batch === null) return drop('droppedQueueFull', onSettled)
      if (admission !== 'whole') overload.waits(event, batch, batch.packed.count - 1)
      if (bare !== null) counters.add('leftOutBodies')
      start()
      if (mayAnswer) {
        untold++
        return
      }
      if (answers) counters.add('leftOutReplies')
      onSettled('late', null)
    },
    retransmitted(honeyId, count) {
      addRepeated(honeyId, count)
      start()
    },
    trouble: () => trouble,
    pending: room.size,
    fullness: room.fullness,
    async stop(withinMs) {
      giveUp = new AbortController()
      const deadline = setTimeout(() => giveUp?.abort(), Math.max(withinMs - IN_FLIGHT_MS, withinMs / 2))
      let hopeless: NodeJS.Timeout | undefined
      const over = new Promise<void>((resolve) => {
        hopeless = setTimeout(resolve, withinMs)
      })
      await Promise.race([running, over])
      if (repeated.size > 0) start() // once more, also for what came while the last try was ending
      await Promise.race([running, over])
      clearTimeout(hopeless)
      clearTimeout(deadline)
      repeated.clear()
      overload.clear()
      if (room.size() === 0) return
      counters.add('droppedStop', room.size())
      log.warn(`${room.size()} events could not be stored before stopping and are lost`)
      room.clear((onSettled) => onSettled('dropped', null))
      untold = 0
    },
  }
}

function firstOf(repeated: ReadonlyMap<number, number>): Retransmissions[] {
  return [...repeated.entries().take(MAX_AMENDED)].map(([honeyId, retransmissions]) => ({ honeyId, retransmissions }))
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
