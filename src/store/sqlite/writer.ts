// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { randomUUID } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import type { PackedBatch } from '../../event/packed.ts'
import { OperatorError, type OperatorErrorCode } from '../../ops/errors.ts'
import type { EventWriter, Retransmissions } from '../store.ts'
import type { Purged, PurgeMessage } from './purge.ts'

export interface WriterSettings {
  readonly file: string
  readonly sync: 'normal' | 'full'
  /** What the file keeps from the first start on; later ones are given what it holds and not these. */
  readonly firstValues: Readonly<Record<string, string>>
}

/** All but `hurry` have an answer. A slab is transferred, there and back: nothing is copied, and it can be freed without waiting for a collector. */
export type ToWriter =
  | { readonly kind: 'append'; readonly batch: PackedBatch }
  | { readonly kind: 'amend'; readonly counts: readonly Retransmissions[] }
  | { readonly kind: 'purge'; readonly before: string; readonly isThorough: boolean }
  | { readonly kind: 'ping' }
  | { readonly kind: 'hurry' }
  | { readonly kind: 'close' }

export type FromWriter =
  | { readonly kind: 'opened'; readonly kept: ReadonlyMap<string, string> }
  | { readonly kind: 'failed'; readonly code: OperatorErrorCode; readonly reason: string; readonly hint: string }
  | { readonly kind: 'progress'; readonly text: string }
  | { readonly kind: 'committed'; readonly firstId: number; readonly slab: ArrayBuffer }
  | { readonly kind: 'amended' }
  | { readonly kind: 'refused'; readonly reason: string; readonly slab: ArrayBuffer | null }
  | PurgeMessage
  | { readonly kind: 'pong' }
  | { readonly kind: 'closed' }

export interface SqliteWriter extends EventWriter {
  /** What the file holds for the names of `firstValues`. */
  readonly kept: ReadonlyMap<string, string>
  /** This node's id, kept in the file under `node_id`. */
  readonly nodeId: string
  /**
   * Resolves when the thread has answered, which it does between two batches, also while the database is locked or the
   * disk is full. Writes nothing. At any time; several calls at once get the same answer.
   */
  ping(): Promise<void>
  /**
   * Deletes the events before this time (`YYYY-MM-DD HH:MM:SS…`, UTC; rows without one go by when they were inserted),
   * but never the newest event, whose id must not be given again; and the bad actors and called numbers that were last
   * seen before it. Those that stay keep their counts. In short steps between the batches; `onProgress` is told how much
   * is gone so far. The file gets no smaller: its free pages are used again. One that is not thorough ends where 2,000
   * rows in a row stay. Rejects while another purge is under way, and when the writer is closed before it is through.
   */
  purge(before: string, onProgress?: (purged: Purged) => void, isThorough?: boolean): Promise<Purged>
  /** A stop is under way: from now on the thread waits for a lock 200 ms at most, and does nothing but store and close. */
  hurry(): void
  /** Rejects if the thread dies: our bug; nothing can be stored any more. */
  readonly failed: Promise<never>
}

/**
 * Opens the database in a thread of its own, so that a slow disk, a lock or a checkpoint never holds up a socket.
 * Rejects with the OperatorErrors of `openForWriting`.
 */
export async function openSqliteWriter(
  { file, sync, firstValues }: WriterSettings,
  onProgress: (text: string) => void,
): Promise<SqliteWriter> {
  // One source file in a clone, one bundle beside this one in the published package.
  const script = import.meta.url.endsWith('.ts') ? './writer-thread.ts' : './writer-thread.js'
  const workerData = { file, sync, firstValues: { node_id: randomUUID(), ...firstValues } } satisfies WriterSettings
  const thread = new Worker(new URL(script, import.meta.url), { workerData })
  const died = Promise.withResolvers<never>()
  died.promise.catch(() => {})
  const opening = Promise.withResolvers<FromWriter>()
  const unanswered = [opening] // in the order asked, which is that of the answers: at a stop there may be several
  let pong: PromiseWithResolvers<void> | null = null
  let purge: (PromiseWithResolvers<Purged> & { onProgress: (purged: Purged) => void }) | null = null
  let closed = false // then its end is what was asked for
  let end: Error | null = null
  thread.on('error', lose)
  thread.on('exit', (code) =>
    lose(new Error(closed ? 'the database is closed' : `the database thread ended with ${code}`)),
  )
  thread.on('message', (message: FromWriter) => {
    if (message.kind === 'closed') {
      closed = true
      purge?.reject(new Error('the database was closed before all was purged'))
      purge = null
    }
    if (message.kind === 'progress') onProgress(message.text)
    else if (message.kind === 'purging') purge?.onProgress(message.purged)
    else if (message.kind === 'purged') {
      purge?.resolve(message.purged)
      purge = null
    } else if (message.kind === 'pong') {
      pong?.resolve()
      pong = null
    } else unanswered.shift()?.resolve(message)
  })

  /**
   * Nobody gets an answer any more. Each who waits is told: in a race with a promise that lasts as long as the thread,
   * every commit would leave a reaction at it.
   */
  function lose(error: Error): void {
    end ??= error
    if (!closed) died.reject(end)
    for (const waiting of [...unanswered.splice(0), pong, purge]) waiting?.reject(end)
    pong = null
    purge = null
  }

  /** Rejects when the thread has ended, or ends without an answer. */
  async function ask(message: ToWriter, transferred: readonly ArrayBuffer[] = []): Promise<FromWriter> {
    if (end !== null) throw end
    const answer = Promise.withResolvers<FromWriter>()
    thread.postMessage(message, transferred)
    unanswered.push(answer)
    return answer.promise
  }

  const opened = await opening.promise
  if (opened.kind === 'failed') throw new OperatorError(opened.code, opened.reason, opened.hint)
  if (opened.kind !== 'opened') throw new Error(`the database thread began with ${opened.kind}`)
  return {
    kept: opened.kept,
    nodeId: String(opened.kept.get('node_id')), // given just above, so it is there
    failed: died.promise,
    async append(batch) {
      if (batch.slab.detached) throw new Error('the database thread took this batch with it')
      const result = await ask({ kind: 'append', batch }, [batch.slab])
      if ('slab' in result && result.slab !== null) batch.slab = result.slab
      if (result.kind === 'committed') return result.firstId
      throw refusal(result)
    },
    async amend(counts) {
      const result = await ask({ kind: 'amend', counts })
      if (result.kind !== 'amended') throw refusal(result)
    },
    async ping() {
      if (end !== null) throw end
      if (pong === null) {
        pong = Promise.withResolvers()
        thread.postMessage({ kind: 'ping' } satisfies ToWriter)
      }
      await pong.promise
    },
    async purge(before, onProgress = () => {}, isThorough = true) {
      if (end !== null) throw end
      if (purge !== null) throw new Error('another purge is under way')
      const going = { ...Promise.withResolvers<Purged>(), onProgress }
      purge = going
      thread.postMessage({ kind: 'purge', before, isThorough } satisfies ToWriter)
      return going.promise
    },
    hurry: () => thread.postMessage({ kind: 'hurry' } satisfies ToWriter),
    async close(withinMs) {
      const asked = ask({ kind: 'close' })
      if (withinMs === undefined) await asked
      else if ((await within(withinMs, asked)) === 'late') onProgress(`${file} could not be tidied up in time`)
      purge?.reject(new Error('the database was closed before all was purged'))
      purge = null
    },
  }
}

/** 'late' when `ms` pass before `promise` settles. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | 'late'> {
  const late = Promise.withResolvers<'late'>()
  const timer = setTimeout(late.resolve, ms, 'late')
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

function refusal(answer: FromWriter): Error {
  return new Error(answer.kind === 'refused' ? answer.reason : `the database thread answered ${answer.kind}`)
}
