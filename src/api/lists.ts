// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyReply, FastifyRequest } from 'fastify'
import { reason } from '../ops/errors.ts'
import type { EventReader, Snapshot } from '../store/store.ts'
import { refuse } from './refuse.ts'
import { createTurns } from './turns.ts'

export interface ListLimits {
  /** More lists than this at a time are answered 503. */
  readonly maxLists: number
  /** From the request to the last byte; then the connection is closed. An absolute deadline, not an idle timer. */
  readonly deadlineMs: number
}

export const LIST_LIMITS: ListLimits = { maxLists: 32, deadlineMs: 60_000 } // chosen

/** One long answer on its way. It ends with its response, whichever way that comes about. */
export interface ListInProgress {
  /** The list's own view of the store; opened by the first call, closed at the end. */
  snapshot(): Snapshot
  /** Resolves when the next piece may be made. Check `ended()` then: the client may have gone meanwhile. */
  turn(): Promise<void>
  ended(): boolean
  /** Tells the operator that the list had to be cut, and why. */
  failed(error: unknown): void
}

export interface Lists {
  /** Admits one more list, or sends 503 and returns null. */
  begin(request: FastifyRequest, reply: FastifyReply): ListInProgress | null
  inProgress(): number
  refused(): number
  /** Ends every list at once and closes its connection. */
  stop(): void
}

/** Keeps count of the long answers, so that their snapshots, and the memory they use, stay bounded. */
export function createLists(
  reader: EventReader,
  { maxLists, deadlineMs }: ListLimits,
  onFailure: (text: string) => void,
): Lists {
  const open = new Set<() => void>()
  const turn = createTurns()
  let refused = 0

  function begin(request: FastifyRequest, reply: FastifyReply): ListInProgress | null {
    if (open.size >= maxLists) {
      refused++
      reply.header('retry-after', '1')
      refuse(reply, 503, 'Too many lists at a time', `at most ${maxLists} are sent at once; try again in a second`)
      return null
    }
    let snapshot: Snapshot | null = null
    let ended = false
    const end = () => {
      ended = true
      clearTimeout(deadline)
      open.delete(cut)
      snapshot?.close()
      snapshot = null
    }
    const cut = () => {
      request.raw.socket.destroy()
      end() // not left to the response's close: a response that waits behind another on its connection never has one
    }
    const deadline = setTimeout(cut, deadlineMs)
    open.add(cut)
    reply.raw.once('close', end)
    return {
      snapshot: () => (snapshot ??= reader.snapshot()),
      turn,
      ended: () => ended,
      failed: (error) => onFailure(`REST API: a list failed and was cut: ${reason(error)}`),
    }
  }

  return {
    begin,
    inProgress: () => open.size,
    refused: () => refused,
    stop() {
      for (const cut of open) cut()
    },
  }
}
