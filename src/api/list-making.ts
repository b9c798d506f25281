// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { reason } from '../ops/errors.ts'
import type { FromMaker, ListJob, ToMaker } from './list-job.ts'

const REST_MS = 1_000
const MAX_REST_MS = 60_000

/** Where lists are made: in a thread of its own, as a rule. */
export interface RunningMaker {
  post(message: ToMaker): void
  end(): Promise<void>
}

/** Starts a maker that tells `onMessage` of its lists, and `onDeath`, once, if it ends without having been asked to. */
export type StartMaker = (onMessage: (message: FromMaker) => void, onDeath: (error: Error) => void) => RunningMaker

/** One list on its way here. */
export interface ListOnItsWay {
  /** One piece has gone out: another may come. */
  more(): void
  /** Nothing more of it is wanted. */
  end(): void
}

export interface ListMaking {
  /** Has a list made; `tell` gets what the maker says of it. Null while the maker rests, having died. */
  begin(job: ListJob, gzip: boolean, tell: (message: FromMaker) => void): ListOnItsWay | null
  isRunning(): boolean
  stop(): Promise<void>
}

/**
 * Runs a maker while there are lists, and for `idleMs` after the last one. If it dies, its lists fail, and there is none
 * for a second; twice as long each time that it dies soon again.
 */
export function createListMaking(
  startMaker: StartMaker,
  idleMs: number,
  onFailure: (text: string) => void,
): ListMaking {
  const open = new Map<number, (message: FromMaker) => void>()
  let maker: RunningMaker | null = null
  let idle: NodeJS.Timeout | undefined
  let nextId = 0
  let restMs = REST_MS
  let restsUntilMs = Number.NEGATIVE_INFINITY

  function running(): RunningMaker {
    clearTimeout(idle)
    maker ??= startMaker(deliver, died)
    return maker
  }

  function deliver(message: FromMaker): void {
    open.get(message.id)?.(message) // nobody, when the list was ended while the message was on its way
  }

  function died(error: Error): void {
    maker = null
    const nowMs = performance.now()
    restMs = nowMs - restsUntilMs > MAX_REST_MS ? REST_MS : Math.min(MAX_REST_MS, restMs * 2)
    restsUntilMs = nowMs + restMs
    onFailure(`REST API: what makes lists failed, please report this: ${error.stack ?? reason(error)}`)
    for (const [id, tell] of [...open]) tell({ kind: 'failed', id, reason: 'what makes lists failed' })
  }

  async function endMaker(): Promise<void> {
    clearTimeout(idle)
    const ending = maker
    maker = null
    await ending?.end()
  }

  return {
    begin(job, gzip, tell) {
      if (maker === null && performance.now() < restsUntilMs) return null
      const id = nextId++
      const by = running()
      open.set(id, tell)
      by.post({ kind: 'begin', id, job, gzip })
      return {
        more: () => by.post({ kind: 'more', id }),
        end() {
          if (!open.delete(id)) return
          by.post({ kind: 'end', id })
          if (open.size === 0 && maker !== null) idle = setTimeout(() => void endMaker(), idleMs).unref()
        },
      }
    },
    isRunning: () => maker !== null,
    stop: endMaker,
  }
}
