// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IpAddress } from '../net/ip.ts'
import { MOST } from '../ops/open-files.ts'
import { createClientShare } from './client-share.ts'
import { acceptsGzip } from './encoding.ts'
import { type FromMaker, isPage, type ListJob } from './list-job.ts'
import type { ListMaking, ListOnItsWay } from './list-making.ts'
import { createPieceStream, type PieceStream } from './list-stream.ts'
import { linkNext } from './next-page.ts'
import { refuse, sendNothingKnown } from './refuse.ts'

export interface ListLimits {
  /** More lists than this at a time are answered 503. */
  readonly maxLists: number
  /** More than this at a time for one client that is not on this machine, nor unlimited, are answered 429. */
  readonly maxListsPerClient: number
  /** From the request to the last byte; then the connection is closed. An absolute deadline, not an idle timer. */
  readonly deadlineMs: number
  /**
   * The database's log cannot begin anew while a list other than a page is under way. When it is larger than this, slow
   * ones are cut, and until all are over no other begins; at twice as much all are cut.
   */
  readonly mostLogBytes: number
  /** A list that is under way for longer is slow. */
  readonly slowMs: number
  /** How often the log is looked at. */
  readonly logCheckMs: number
}

// Chosen. The log has 256 MiB after some 300,000 events, and 64 MiB when no list is in its way.
export const LIST_LIMITS: ListLimits = {
  maxLists: MOST.lists,
  maxListsPerClient: 8, // a quarter of all: no three clients keep the others out, a browser has six connections
  deadlineMs: 60_000,
  mostLogBytes: 256 * 1024 * 1024,
  slowMs: 5_000, // twenty times what 100,000 numbers take who reads as fast as he can
  logCheckMs: 1_000,
}

/** How a list is answered. */
interface ListAnswer {
  /** Media type. */
  readonly type: string
  /** Message of the 404 that an empty list is. */
  readonly none: string
}

/** Why a list is not sent: its client has its share, all places are taken, the log is long, the maker rests. */
export type Refusal = 'client_share' | 'all_places' | 'log_size' | 'no_maker'

export interface Lists {
  /** Has one more list made and sends it as it comes, or sends 503, or 429 where it is for its client to wait. */
  send(request: FastifyRequest, reply: FastifyReply, job: ListJob, answer: ListAnswer): undefined
  inProgress(): number
  /** How many were refused, by why. */
  refused(): Readonly<Record<Refusal, number>>
  /** Ends every list at once and closes its connection. */
  stop(): void
}

/** A list that was admitted. */
interface OpenList {
  readonly holdsLog: boolean
  readonly sinceMs: number
}

/** Keeps count of the long answers, so that their snapshots, and the memory and log that they take, stay bounded. */
export function createLists(
  making: ListMaking,
  { maxLists, maxListsPerClient, deadlineMs, mostLogBytes, slowMs, logCheckMs }: ListLimits,
  isUnlimited: (address: IpAddress) => boolean,
  logBytes: () => number,
  onFailure: (text: string) => void,
): Lists {
  const open = new Map<() => void, OpenList>() // by what cuts it
  const share = createClientShare(maxListsPerClient, isUnlimited)
  const refused: Record<Refusal, number> = { client_share: 0, all_places: 0, log_size: 0, no_maker: 0 }

  const looking = setInterval(cutSlow, logCheckMs).unref()

  /** Lists that overlap keep the log from beginning anew even if each one is short: one moment without any is enough. */
  function cutSlow(): void {
    if (!isHeld()) return
    const bytes = logBytes()
    if (bytes <= mostLogBytes) return
    const slowBeforeMs = bytes > 2 * mostLogBytes ? Number.POSITIVE_INFINITY : performance.now() - slowMs
    for (const [cut, { holdsLog, sinceMs }] of open) {
      if (!holdsLog || sinceMs > slowBeforeMs) continue
      onFailure(`REST API: a list whose reader is slow was cut, since the database's log grows meanwhile`)
      cut()
    }
  }

  function isHeld(): boolean {
    return open.values().some(({ holdsLog }) => holdsLog)
  }

  function refuseList(reply: FastifyReply, why: Refusal, error: string, detail: string): undefined {
    refused[why]++
    reply.header('retry-after', '1')
    return refuse(reply, why === 'client_share' ? 429 : 503, error, detail)
  }

  function send(request: FastifyRequest, reply: FastifyReply, job: ListJob, answer: ListAnswer): undefined {
    if (open.size >= maxLists) {
      const detail = `at most ${maxLists} are sent at once; try again in a second`
      return refuseList(reply, 'all_places', 'Too many lists at a time', detail)
    }
    const holdsLog = !isPage(job)
    if (holdsLog && isHeld() && logBytes() > mostLogBytes) {
      const detail = 'lists that are being read slowly keep the database from tidying up; try again in a second'
      return refuseList(reply, 'log_size', 'No more lists just now', detail)
    }
    const release = share.take(request.socket.remoteAddress)
    if (release === null) {
      const detail = `at most ${maxListsPerClient} are sent to one client at once; try again in a second, or see --api-unlimited`
      return refuseList(reply, 'client_share', 'Too many lists at a time for one client', detail)
    }
    let stream: PieceStream | null = null
    let list: ListOnItsWay | null = null
    try {
      list = making.begin(job, acceptsGzip(request.headers['accept-encoding']), tell)
    } finally {
      if (list === null) release() // also when there can be no other thread just now
    }
    if (list === null)
      return refuseList(reply, 'no_maker', 'No lists just now', 'what makes them has failed and starts again soon')
    const end = admitted(request, reply, list, { release, holdsLog })

    function tell(message: FromMaker): void {
      switch (message.kind) {
        case 'none':
          return sendNothingKnown(reply, answer.none)
        case 'begun':
          stream = sendBegun(message, request, reply, answer.type, list)
          return
        case 'piece':
          return stream?.take(message.piece)
        case 'done':
          return stream?.done()
        case 'failed':
          if (stream === null) return void reply.send(new Error(message.reason))
          onFailure(`REST API: a list failed and was cut: ${message.reason}`)
          stream.fail(new Error(message.reason))
          return end()
        default:
          return message satisfies never
      }
    }
  }

  /** Counts a list until its response is over, whichever way that comes about; gives what ends it. */
  function admitted(
    { raw }: FastifyRequest,
    reply: FastifyReply,
    list: ListOnItsWay,
    { release, holdsLog }: { readonly release: () => void; readonly holdsLog: boolean },
  ): () => void {
    const end = () => {
      clearTimeout(deadline)
      release()
      open.delete(cut)
      list.end()
    }
    const cut = () => {
      raw.socket.destroy()
      end() // not left to the response's close: a response that waits behind another on its connection never has one
    }
    const deadline = setTimeout(cut, deadlineMs)
    open.set(cut, { holdsLog, sinceMs: performance.now() })
    reply.raw.once('close', end)
    return end
  }

  return {
    send,
    inProgress: () => open.size,
    refused: () => ({ ...refused }),
    stop() {
      clearInterval(looking)
      for (const cut of open.keys()) cut()
    },
  }
}

/** Sends the head and what there is; gives the stream that the rest goes to, unless that was all. */
function sendBegun(
  { cursor, isPacked, piece, isWhole }: Extract<FromMaker, { kind: 'begun' }>,
  request: FastifyRequest,
  reply: FastifyReply,
  type: string,
  list: ListOnItsWay | null,
): PieceStream | null {
  reply.header('content-type', type)
  if (cursor !== null) linkNext(request, reply, cursor)
  if (isPacked) reply.header('content-encoding', 'gzip')
  if (isWhole) {
    reply.send(Buffer.from(piece.buffer, piece.byteOffset, piece.length))
    return null
  }
  if (request.method === 'HEAD') {
    reply.send()
    return null
  }
  const stream = createPieceStream(() => list?.more())
  stream.take(piece)
  reply.send(stream.readable)
  return stream
}
