// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { IpAddress } from '../net/ip.ts'
import { reason } from '../ops/errors.ts'
import type { EventReader, Snapshot } from '../store/store.ts'
import { isWorthPacking } from './encoding.ts'
import { type FromMaker, isPage, type ListJob, type ToMaker, WINDOW_PIECES } from './list-job.ts'
import { makeList } from './make-list.ts'
import { packed, packedWhole } from './pieces.ts'
import { createTurns } from './turns.ts'

export interface ListMaker {
  receive(message: ToMaker): void
}

/** One list while it is made. */
interface Making {
  credits: number
  ended: boolean
  snapshot: Snapshot | null
  /** Wakes who waits for a credit. */
  wake: (() => void) | null
}

// Pages are whole in memory until their readers have taken them: so many bytes of them, and one more of 4 MiB. Chosen.
const MOST_HELD_BYTES = 16 * 1024 * 1024

/** Ends the making of a list that nobody wants any more; goes no further than this file. */
class Unwanted extends Error {}

/**
 * Makes lists, several at a time and in turns: one piece of one list per round of the event loop, so that messages come
 * in between. A list goes on while it has credits, and everything of it is let go of when it ends, however it ends.
 */
export function createListMaker(
  reader: EventReader,
  isBogon: (address: IpAddress) => boolean,
  post: (message: FromMaker) => void,
): ListMaker {
  const open = new Map<number, Making>()
  const turn = createTurns()
  let lastPage: Promise<unknown> = Promise.resolve()
  let heldBytes = 0
  let wakeNextPage: (() => void) | null = null

  async function make(id: number, making: Making, job: ListJob, gzip: boolean): Promise<void> {
    const next = async () => {
      await turn()
      if (making.ended) throw new Unwanted()
    }
    let held = 0
    const view = { reader, isBogon, snapshot: () => (making.snapshot ??= reader.snapshot()), turn: next }
    try {
      await next()
      const body = await (isPage(job) ? inOrder(() => page(making, () => makeList(job, view))) : makeList(job, view))
      if (body !== null && isPage(job)) {
        for (const piece of body.pieces) held += piece.length
        heldBytes += held
        making.snapshot?.close() // all of it is read: however slowly it is taken, it holds up nothing
        making.snapshot = null
      }
      if (body === null) post({ kind: 'none', id })
      else await sendPieces(id, making, body.cursor, body.pieces, gzip, next)
    } catch (error) {
      if (!(error instanceof Unwanted)) post({ kind: 'failed', id, reason: reason(error) })
    } finally {
      making.snapshot?.close()
      open.delete(id)
      heldBytes -= held
      wakeNextPage?.()
    }
  }

  /** Waits until the pages that nobody has taken yet leave room for one more. */
  async function page<T>(making: Making, work: () => Promise<T>): Promise<T> {
    while (heldBytes > MOST_HELD_BYTES && !making.ended) {
      await new Promise<void>((resolve) => {
        making.wake = resolve
        wakeNextPage = resolve
      })
    }
    if (making.ended) throw new Unwanted()
    return work()
  }

  /** A page is put together in memory: only one at a time. */
  function inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = lastPage.then(work)
    lastPage = result.catch(() => {}) // whoever asked for it is told
    return result
  }

  async function sendPieces(
    id: number,
    making: Making,
    cursor: string | null,
    pieces: Iterable<Uint8Array>,
    gzip: boolean,
    next: () => Promise<void>,
  ): Promise<void> {
    const ahead = pieces[Symbol.iterator]()
    const first = ahead.next().value ?? new Uint8Array()
    const second = ahead.next().value
    if (second === undefined) {
      const isPacked = gzip && isWorthPacking(first.length)
      post({ kind: 'begun', id, cursor, isPacked, piece: isPacked ? packedWhole(first) : first, isWhole: true })
      return
    }
    const whole = chained([first, second], ahead)
    let isFirst = true
    for (const piece of gzip ? packed(whole) : whole) {
      await credit(making)
      await next()
      post(
        isFirst ? { kind: 'begun', id, cursor, isPacked: gzip, piece, isWhole: false } : { kind: 'piece', id, piece },
      )
      isFirst = false
    }
    post({ kind: 'done', id })
  }

  return {
    receive(message) {
      if (message.kind === 'begin') {
        const making: Making = { credits: WINDOW_PIECES, ended: false, snapshot: null, wake: null }
        open.set(message.id, making)
        void make(message.id, making, message.job, message.gzip) // it cannot reject: a failure is told
        return
      }
      const making = open.get(message.id)
      if (making === undefined) return // it ended while the message was on its way
      if (message.kind === 'more') making.credits++
      else making.ended = true
      making.wake?.()
      making.wake = null
    },
  }
}

async function credit(making: Making): Promise<void> {
  while (making.credits === 0 && !making.ended) {
    await new Promise<void>((resolve) => {
      making.wake = resolve
    })
  }
  making.credits--
}

function* chained(before: readonly Uint8Array[], rest: Iterator<Uint8Array>): Generator<Uint8Array, void> {
  yield* before
  for (let piece = rest.next(); !piece.done; piece = rest.next()) yield piece.value
}
