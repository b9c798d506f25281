// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { reason } from '../ops/errors.ts'
import type { Log } from '../ops/log.ts'
import { exitCodeOf } from './complaint.ts'
import type { ServiceReport, Watched } from './service-report.ts'

/** A daemon as the process sees it. */
export interface Daemon extends Watched {
  /** Lets go of everything; resolves when what it was given is stored and out. */
  stop(): Promise<void>
  /** Opens log files again. */
  reopen(): Promise<void>
  /** Rejects when the daemon cannot go on by itself. */
  readonly failed: Promise<never>
}

export interface Supervision {
  /** Signals and uncaught exceptions; `process` in the daemon. */
  readonly events: { on(event: string, listener: (argument: unknown) => void): unknown }
  readonly log: Log
  /** Tells a service manager what happens; null without one. */
  readonly service: ServiceReport | null
  /** Tells the operator of an error that ends the process. */
  readonly complain: (error: unknown) => void
  /** How long a stop may take. */
  readonly stopDeadlineMs: number
  /** A clock that never goes back. */
  readonly nowMs: () => number
}

// Ctrl-C under `npm start`, and `timeout`, deliver the same wish twice: to the group of processes, and passed on by the
// parent. Chosen: far longer than that takes, shorter than a person's patience.
const SAME_WISH_MS = 500

/**
 * Starts a daemon and sees it through to its end. Resolves with the exit code, and then the process has to leave at
 * once: something may still be running. SIGTERM and SIGINT stop it, also during the start; a second one, unless it
 * comes right behind the first, leaves without waiting. SIGHUP reopens logs. An uncaught exception is a bug: what is
 * in memory is saved and the process leaves.
 */
export function supervise(start: () => Promise<Daemon>, supervision: Supervision): Promise<number> {
  const { events, log, service } = supervision
  const exitCode = Promise.withResolvers<number>()
  let daemon: Daemon | null = null

  const ending = createEnding(supervision, exitCode.resolve, async () => {
    await started // a stop in the middle of a start waits for it, so that nothing is left half open
    await daemon?.stop()
  })
  events.on('SIGTERM', ending.onSignal)
  events.on('SIGINT', ending.onSignal)
  events.on('uncaughtException', ending.fail)
  events.on('SIGHUP', () => {
    if (daemon === null || ending.hasBegun()) return
    service?.reloading()
    daemon
      .reopen()
      .catch((error: unknown) => log.warn(`could not reopen the logs: ${reason(error)}`))
      .finally(() => ending.hasBegun() || service?.reloaded())
  })
  const started = (async () => {
    daemon = await start()
    if (!ending.hasBegun()) service?.ready(daemon)
    daemon.failed.catch(ending.fail)
  })().catch(ending.fail)
  return exitCode.promise
}

/** The end, which may be wished for, forced and failed more than once and comes once, after `stop` or its deadline. */
function createEnding(
  { log, service, complain, stopDeadlineMs, nowMs }: Supervision,
  leave: (exitCode: number) => void,
  stop: () => Promise<void>,
) {
  let begun = false
  let exitCode = 0
  let signalMs: number | null = null

  async function begin(): Promise<void> {
    begun = true
    service?.stopping()
    const deadline = setTimeout(() => {
      log.warn(`still not stopped after ${stopDeadlineMs / 1000} s: leaving all the same`)
      leave(exitCode === 0 ? 1 : exitCode)
    }, stopDeadlineMs)
    await stop().catch(fail)
    clearTimeout(deadline)
    leave(exitCode)
  }

  function fail(error: unknown): void {
    complain(error)
    if (exitCode === 0) exitCode = exitCodeOf(error)
    if (!begun) void begin()
  }

  function onSignal(signal: unknown): void {
    const sinceFirstMs = signalMs === null ? null : nowMs() - signalMs
    signalMs ??= nowMs()
    if (!begun) return void begin()
    if (sinceFirstMs === null || sinceFirstMs < SAME_WISH_MS) return
    log.warn(`${signal} again: leaving without waiting`)
    leave(1)
  }

  return { hasBegun: () => begun, fail, onSignal }
}
