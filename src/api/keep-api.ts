// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { reason } from '../ops/errors.ts'
import type { Log } from '../ops/log.ts'
import { type AnswersNow, type ApiThread, startApiThread } from './start-api-thread.ts'
import type { ApiSettings } from './thread-messages.ts'

/** When the API is started again after its thread died: later and later, and soon again once it has lasted. */
export interface RestartTimes {
  readonly firstMs: number
  readonly mostMs: number
  /** A thread that lived for so long begins anew with `firstMs`. */
  readonly lastedMs: number
}

const RESTART_TIMES: RestartTimes = { firstMs: 1_000, mostMs: 60_000, lastedMs: 60_000 } // chosen

/** The REST API as long as the node runs. */
export interface KeptApi {
  readonly address: string
  readonly port: number
  /** Answers on their way have half a second. Resolves before `withinMs` have passed. */
  stop(withinMs: number): Promise<void>
}

/**
 * Starts the REST API in its thread, and starts it again whenever that dies, which is our bug and is logged: SIP goes on
 * meanwhile. Rejects with an OperatorError when the API must not or cannot listen at the first start; later on that is
 * tried again too. `startThread` is for tests.
 */
export async function keepApi(
  settings: ApiSettings,
  answers: AnswersNow,
  log: Log,
  times: RestartTimes = RESTART_TIMES,
  startThread: typeof startApiThread = startApiThread,
): Promise<KeptApi> {
  let thread: ApiThread | null = await startThread(settings, answers, log)
  const { address, port } = thread
  let waitMs = times.firstMs
  let restart: NodeJS.Timeout | undefined
  let restarting: Promise<void> = Promise.resolve()
  let isStopping = false
  watch(thread)

  function watch(watched: ApiThread): void {
    const startedAtMs = performance.now()
    void watched.failed.then((error) => {
      thread = null
      if (performance.now() - startedAtMs >= times.lastedMs) waitMs = times.firstMs
      startLater(`The REST API failed, please report this: ${error.stack ?? error.message}`)
    })
  }

  function startLater(why: string): void {
    if (isStopping) return
    log.warn(`${why}. Starting it again in ${waitMs / 1_000} s; SIP goes on`)
    restart = setTimeout(() => {
      restarting = startAgain()
    }, waitMs)
    waitMs = Math.min(times.mostMs, waitMs * 2)
  }

  async function startAgain(): Promise<void> {
    try {
      // On the port that it had, also where the kernel had chosen it.
      const first = { health: answers.health(), metrics: answers.metrics() }
      thread = await startThread({ ...settings, listen: { ...settings.listen, port }, first }, answers, log)
      log.notice('The REST API is back')
      watch(thread)
    } catch (error) {
      startLater(`The REST API did not start: ${reason(error)}`)
    }
  }

  return {
    address,
    port,
    async stop(withinMs) {
      isStopping = true
      clearTimeout(restart)
      const untilMs = performance.now() + withinMs
      const late = new Promise<void>((resolve) => setTimeout(resolve, withinMs).unref())
      await Promise.race([restarting, late])
      await Promise.race([thread?.stop(untilMs - performance.now()), late])
    },
  }
}
