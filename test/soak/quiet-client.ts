// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Ports } from '../node-process.ts'
import type { Ledger } from './ledger.ts'

/** `reply`: a datagram to its answer. `ping`: on TCP, without the time that the node waited for a processor. `look-up`: of the API. */
export type Kind = 'reply' | 'ping' | 'look-up'

export interface Sample {
  readonly kind: Kind
  /** Of the clock on the wall. */
  readonly atMs: number
  /** Null: there was no answer. */
  readonly ms: number | null
}

/** What the thread tells. */
export type QuietReport =
  | { readonly kind: 'samples'; readonly samples: readonly Sample[] }
  | {
      readonly kind: 'end'
      readonly datagrams: number
      readonly written: number
      /** Numbers of messages whose connection broke. */
      readonly uncertain: readonly number[]
    }

/** Somebody who asks a little, and notices when he has to wait. */
export interface QuietClient {
  /** Resolves when everything that he sent is in the ledger. */
  stop(): Promise<void>
}

export function startQuietClient(
  ports: Ports,
  pid: number,
  ledger: Ledger,
  onSamples: (samples: readonly Sample[]) => void,
): QuietClient {
  const worker = new Worker(new URL('quiet-thread.ts', import.meta.url), { workerData: { ports, pid } })
  const ended = new Promise<void>((resolve, reject) => {
    worker.once('error', reject)
    worker.on('message', (report: QuietReport) => {
      if (report.kind === 'samples') return onSamples(report.samples)
      const [asked, written] = [ledger.flow('quiet'), ledger.flow('quietly')]
      for (let number = 0; number < report.datagrams; number++) asked.datagramLeft(asked.next())
      for (let number = 0; number < report.written; number++) {
        written.written(written.next(), !report.uncertain.includes(number))
      }
      resolve()
    })
  })
  ended.catch(() => {}) // stop() tells
  return {
    async stop() {
      const gone = once(worker, 'exit')
      worker.postMessage('stop')
      await ended
      await gone
    },
  }
}
