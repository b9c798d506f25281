// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { Worker } from 'node:worker_threads'
import { OperatorError } from '../ops/errors.ts'
import type { Log } from '../ops/log.ts'
import type { Answers, ApiSettings, FromApi, ToApi } from './thread-messages.ts'

// Bounds of the heap, so that no request whatever can use up the memory of the whole node: on a board with 512 MB the
// heap of the main thread may have half of it. At work the API has 20 to 40 MB.
const HEAP_LIMITS = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16 }
const STOP_MS = 1_500 // the API itself takes half a second at most, see limits.ts

/** What the main thread tells when the API asks. */
export type AnswersNow = { readonly [What in keyof Answers]: () => Answers[What] }

/** A thread that serves the REST API. */
export interface ApiThread {
  readonly address: string
  readonly port: number
  /** Resolves with why when the thread ends without having been asked to: our bug. */
  readonly failed: Promise<Error>
  /** Answers on their way have half a second; then it ends, after `withinMs` whatever it is at. */
  stop(withinMs?: number): Promise<void>
}

/** Starts the API in a thread of its own. Rejects with the OperatorErrors of `startApi`. */
export async function startApiThread(settings: ApiSettings, answers: AnswersNow, log: Log): Promise<ApiThread> {
  // One source file in a clone, one bundle beside this one in the published package.
  const script = import.meta.url.endsWith('.ts') ? './api-thread.ts' : './api-thread.js'
  const thread = new Worker(new URL(script, import.meta.url), { workerData: settings, resourceLimits: HEAP_LIMITS })
  const post = (message: ToApi) => thread.postMessage(message)
  const started = Promise.withResolvers<FromApi>()
  const exited = Promise.withResolvers<Error>()
  let cause: Error | null = null
  thread.on('message', (message: FromApi) => {
    switch (message.kind) {
      case 'ask':
        return post(
          message.what === 'health'
            ? { kind: 'health', health: answers.health() }
            : { kind: 'metrics', metrics: answers.metrics() },
        )
      case 'log':
        return log[message.line](message.text)
      case 'listening':
      case 'refused':
        return started.resolve(message)
      case 'stopped':
        return
      default:
        return message satisfies never
    }
  })
  thread.on('error', (error: Error) => {
    cause = error
  })
  thread.on('exit', (code) => exited.resolve(cause ?? new Error(`the thread of the REST API ended with ${code}`)))

  const begun = await Promise.race([started.promise, exited.promise])
  if (begun instanceof Error) throw begun
  if (begun.kind === 'refused') throw new OperatorError(begun.code, begun.reason, begun.hint)
  if (begun.kind !== 'listening') throw new Error(`the thread of the REST API began with ${begun.kind}`)
  const failed = Promise.withResolvers<Error>()
  let isStopping = false
  void exited.promise.then((error) => {
    if (!isStopping) failed.resolve(error)
  })
  return {
    address: begun.address,
    port: begun.port,
    failed: failed.promise,
    async stop(withinMs = STOP_MS) {
      isStopping = true
      post({ kind: 'stop' })
      const late = setTimeout(() => void thread.terminate(), Math.min(STOP_MS, withinMs))
      await exited.promise
      clearTimeout(late)
    },
  }
}
