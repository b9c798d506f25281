// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Notify } from '../net/sd-notify.ts'
import { escaped } from '../ops/escape.ts'

/** What a daemon is asked on behalf of a service manager. */
export interface Watched {
  /** Resolves when the thread that stores events has taken a message and answered; never if it hangs. */
  ping(): Promise<void>
  /** One line on how it is, for people. */
  status(): string
}

/** Tells a service manager of the daemon's life, in the order of these calls. */
export interface ServiceReport {
  ready(daemon: Watched): void
  reloading(): void
  reloaded(): void
  stopping(): void
}

export interface ServiceReportOptions {
  readonly notify: Notify
  /** How long the manager waits for a sign of life before it kills; null when it does not watch. */
  readonly watchdogMs: number | null
  /** CLOCK_MONOTONIC in microseconds, as the manager reads it. */
  readonly monotonicUs: () => bigint
  /** Calls again and again until the function that it gives is called; `setInterval` in the daemon. */
  readonly every: (intervalMs: number, action: () => void) => () => void
}

/**
 * Says when the daemon is ready, reads its logs anew and stops, and feeds the manager's watchdog at half its interval,
 * each time after a round trip through the daemon: a main thread or a database thread that hangs feeds it no more. The
 * round trip asks for no write, so a database that is locked or a disk that is full does not stop it: then events wait
 * in memory, and a restart would lose them.
 */
export function createServiceReport({ notify, watchdogMs, monotonicUs, every }: ServiceReportOptions): ServiceReport {
  let stopFeeding = () => {}

  function feed(daemon: Watched): () => void {
    let asking = false // one question is enough for a thread that does not answer
    return () => {
      if (asking) return
      asking = true
      daemon.ping().then(
        () => {
          asking = false
          notify(`WATCHDOG=1\n${statusLine(daemon)}`)
        },
        () => {}, // the thread died, and the process is about to end for that reason
      )
    }
  }

  return {
    ready(daemon) {
      notify(`READY=1\n${statusLine(daemon)}`)
      if (watchdogMs !== null) stopFeeding = every(watchdogMs / 2, feed(daemon)) // sd_watchdog_enabled(3): half of it
    },
    reloading: () => notify(`RELOADING=1\nMONOTONIC_USEC=${monotonicUs()}`),
    reloaded: () => notify('READY=1'),
    stopping() {
      stopFeeding()
      notify('STOPPING=1')
    },
  }
}

/**
 * Reads WATCHDOG_USEC and WATCHDOG_PID as systemd sets them: the interval in milliseconds, or null when nobody watches
 * this process (another one's is inherited at times) or the value is none.
 */
export function watchdogInterval(usec: string | undefined, pid: string | undefined, ownPid: number): number | null {
  if (usec === undefined || !/^[1-9]\d{0,15}$/.test(usec)) return null
  if (pid !== undefined && pid !== String(ownPid)) return null
  return Number(usec) / 1_000
}

/** A value ends with its line. */
function statusLine(daemon: Watched): string {
  return `STATUS=${escaped(daemon.status())}`
}
