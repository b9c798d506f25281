// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { Worker } from 'node:worker_threads'
import type { FromMaker, ToMaker } from './list-job.ts'
import type { RunningMaker } from './list-making.ts'

// Pages are the most that it holds, one at a time, and their bytes are not part of the heap.
const HEAP_LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 }

/** What the list thread has to know, as plain data. */
export interface ListThreadSettings {
  readonly dbFile: string
  /** Special-purpose ranges that are taken as public all the same. */
  readonly publicRanges: readonly string[]
}

/** Starts the thread that makes lists. `onDeath` is called once if it ends by itself. */
export function startListThread(
  settings: ListThreadSettings,
  onMessage: (message: FromMaker) => void,
  onDeath: (error: Error) => void,
): RunningMaker {
  // One source file in a clone, one bundle beside this one in the published package.
  const script = import.meta.url.endsWith('.ts') ? './list-thread.ts' : './list-thread.js'
  const thread = new Worker(new URL(script, import.meta.url), { workerData: settings, resourceLimits: HEAP_LIMITS })
  let cause: Error | null = null
  let asked = false
  thread.on('message', onMessage)
  thread.on('error', (error: Error) => {
    cause = error
  })
  thread.on('exit', (code) => {
    if (!asked) onDeath(cause ?? new Error(`it ended with ${code}`))
  })
  return {
    post: (message: ToMaker) => thread.postMessage(message),
    async end() {
      asked = true
      await thread.terminate()
    },
  }
}
