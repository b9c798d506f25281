// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createTimestampFormat } from '../ops/clock.ts'
import { reason } from '../ops/errors.ts'
import type { Log } from '../ops/log.ts'

const CHECK_EVERY_MS = 3_600_000
const THOROUGH_EVERY = 24 // once a day: it reads the whole file
// A clock that was set by more than this since the last look may be wrong, and what is deleted is gone: wait for the
// next look. Chosen: above what NTP corrects on a machine that runs, below any useful time to keep events.
const MAX_CLOCK_CHANGE_MS = 60_000

export interface RetentionParts {
  /** How long events are kept, in milliseconds. */
  readonly retainMs: number
  /**
   * Deletes in small steps what is older than a time (`YYYY-MM-DD HH:MM:SS…`, UTC); gives the number of events. A thorough
   * one looks at every event, also behind such as have a time that is wrong.
   */
  readonly purge: (before: string, isThorough: boolean) => Promise<number>
  readonly clock: { wallMs(): number; steadyMs(): number }
  readonly log: Pick<Log, 'notice' | 'warn'>
  /** Calls `action` every `intervalMs` until the function that it gives is called. */
  readonly every: (intervalMs: number, action: () => void) => () => void
}

/**
 * Deletes events that are older than the operator wants to keep them, every hour and never at the start: whoever sets
 * the wrong time by mistake has an hour to see it. Gives the function that ends it.
 */
export function startRetention({ retainMs, purge, clock, log, every }: RetentionParts): () => void {
  const timestamp = createTimestampFormat()
  const offsetMs = () => clock.wallMs() - clock.steadyMs()
  let expectedMs = offsetMs()
  let running = false
  let looks = 0

  async function look(): Promise<void> {
    const changeMs = offsetMs() - expectedMs
    expectedMs += changeMs
    if (Math.abs(changeMs) > MAX_CLOCK_CHANGE_MS) {
      log.warn('The clock was set: no old events are deleted for the next hour, in case it is wrong')
      return
    }
    const before = timestamp(clock.wallMs() - retainMs)
    try {
      const events = await purge(before, looks++ % THOROUGH_EVERY === 0)
      if (events > 0) log.notice(`Deleted ${events} events from before ${before.slice(0, 16)} UTC (--retain)`)
    } catch (error) {
      log.warn(`Cannot delete old events, trying again in an hour: ${reason(error)}`)
    }
  }

  return every(CHECK_EVERY_MS, () => {
    if (running) return
    running = true
    void look().finally(() => {
      running = false
    })
  })
}
