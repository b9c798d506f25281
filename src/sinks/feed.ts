// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { BadActorEvent } from '../event/event.ts'
import { reason } from '../ops/errors.ts'
import { createRepeatedNotice, type Log } from '../ops/log.ts'
import type { Sink } from './sink.ts'

const MAX_QUEUED_EVENTS = 50_000 // chosen: minutes of a busy node, about 50 MB
const NOTICE_EVERY_MS = 60_000

/** How one sink is doing, for `/health-check` and `/metrics`. */
export interface SinkReport {
  readonly name: string
  /** Events that have left; neither those that wait nor those that were dropped. */
  readonly delivered: number
  /** Events that wait, here or in the sink. */
  readonly queued: number
  /** Events that never reached it, by reason. */
  readonly dropped: ReadonlyMap<string, number>
  /** Null while the last delivery went well and the sink knows of no trouble. */
  readonly lastError: string | null
}

/** The queue in front of one sink: bounded, in order, one delivery at a time, isolated from everything else. */
export interface SinkFeed {
  /** Takes a stored batch. Never throws, never waits; drops and counts what the queue has no room for. */
  offer(batch: readonly BadActorEvent[]): void
  report(): SinkReport
  reopen(): Promise<void>
  /** Delivers what is queued, until `withinMs` have passed, then stops the sink. */
  stop(withinMs: number): Promise<void>
}

export function createFeed(sink: Sink, log: Log, steadyMs: () => number): SinkFeed {
  const queue: (readonly BadActorEvent[])[] = []
  let queued = 0
  let delivered = 0
  let failed = 0
  let overflowed = 0
  let lastError: string | null = null
  let running: Promise<void> | null = null
  const warn = createRepeatedNotice(log.warn, NOTICE_EVERY_MS, steadyMs)

  async function run(): Promise<void> {
    for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
      queued -= batch.length
      try {
        await sink.deliver(batch)
        delivered += batch.length
        lastError = null
      } catch (error) {
        failed += batch.length
        lastError = reason(error)
        warn(`${sink.name}: ${batch.length} events not delivered: ${lastError}`)
      }
    }
  }

  return {
    offer(batch) {
      if (queued + batch.length > MAX_QUEUED_EVENTS) {
        overflowed += batch.length
        warn(`${sink.name}: does not keep up, ${batch.length} events not delivered`)
        return
      }
      queue.push(batch)
      queued += batch.length
      running ??= run().finally(() => {
        running = null
      })
    },
    report: () => ({
      name: sink.name,
      delivered: sink.delivered?.() ?? delivered,
      queued: queued + (sink.waiting?.() ?? 0),
      dropped: new Map([['failed', failed], ['queue_full', overflowed], ...(sink.drops?.() ?? [])]),
      lastError: lastError ?? sink.trouble?.() ?? null,
    }),
    reopen: async () => sink.reopen?.(),
    async stop(withinMs) {
      const deadline = new Promise<'late'>((resolve) => setTimeout(resolve, withinMs, 'late').unref())
      if ((await Promise.race([running, deadline])) === 'late')
        log.warn(`${sink.name}: ${queued} events not delivered at stop`)
      await Promise.race([sink.stop(), deadline])
    },
  }
}
