// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { reason } from '../ops/errors.ts'
import type { Log } from '../ops/log.ts'
import { exitCodeOf } from './complaint.ts'

/** A daemon as the process sees it. */
export interface Daemon {
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
  /** Tells the operator of an error that ends the process. */
  readonly complain: (error: unknown) => void
  /** How long a stop may take. */
  readonly stopDeadlineMs: number
}

/**
 * Starts a daemon and sees it through to its end. Resolves with the exit code, and then the process has to leave at
 * once: something may still be running. SIGTERM and SIGINT stop it, also during the start; a second one leaves without
 * waiting. SIGHUP reopens logs. An uncaught exception is a bug: what is in memory is saved and the process leaves.
 */
export function supervise(
  start: () => Promise<Daemon>,
  { events, log, complain, stopDeadlineMs }: Supervision,
): Promise<number> {
  const { promise, resolve: leave } = Promise.withResolvers<number>()
  let daemon: Daemon | null = null
  let ending = false
  let exitCode = 0

  const end = async (): Promise<void> => {
    ending = true
    const deadline = setTimeout(() => {
      log.warn(`still not stopped after ${stopDeadlineMs / 1000} s: leaving all the same`)
      leave(exitCode === 0 ? 1 : exitCode)
    }, stopDeadlineMs)
    try {
      await starting // a stop in the middle of a start waits for it, so that nothing is left half open
      await daemon?.stop()
    } catch (error) {
      failWith(error)
    }
    clearTimeout(deadline)
    leave(exitCode)
  }
  const failWith = (error: unknown) => {
    complain(error)
    if (exitCode === 0) exitCode = exitCodeOf(error)
  }
  const failAndEnd = (error: unknown) => {
    failWith(error)
    if (!ending) void end()
  }

  const onStopSignal = (signal: unknown) => {
    if (!ending) return void end()
    log.warn(`${signal} again: leaving without waiting`)
    leave(1)
  }
  events.on('SIGTERM', onStopSignal)
  events.on('SIGINT', onStopSignal)
  events.on('SIGHUP', () => {
    if (daemon === null || ending) return
    daemon.reopen().catch((error: unknown) => log.warn(`could not reopen the logs: ${reason(error)}`))
  })
  events.on('uncaughtException', failAndEnd)

  const starting = (async () => {
    daemon = await start()
    daemon.failed.catch(failAndEnd)
  })()
  starting.catch((error: unknown) => {
    if (ending) return // `end` waits for the start and tells of this
    failWith(error)
    leave(exitCode)
  })
  return promise
}
