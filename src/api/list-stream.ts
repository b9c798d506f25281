// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { sendStream, sendText } from './encoding.ts'
import type { ListInProgress } from './lists.ts'

// Chosen by measurement, with 4, 8, 16 and 32 KiB: beside twenty lists there are twice as many lookups with 8 as with
// 16, and a list that goes alone takes as long.
const PIECE_CHARACTERS = 8 * 1024

/** Puts small texts together into pieces worth a write. */
export function* inPieces(texts: Iterable<string>, characters = PIECE_CHARACTERS): Generator<string, void> {
  let piece = ''
  for (const text of texts) {
    piece += text
    if (piece.length < characters) continue
    yield piece
    piece = ''
  }
  if (piece !== '') yield piece
}

/**
 * Sends a body that is made as the client takes it: never more than a few pieces of it are in memory. One that fits
 * a single piece goes out whole, with its length.
 */
export function sendList(
  list: ListInProgress,
  request: FastifyRequest,
  reply: FastifyReply,
  type: string,
  texts: Iterable<string>,
): undefined {
  const pieces = inPieces(texts)
  const first = pieces.next()
  const second = pieces.next()
  if (second.done) return sendText(request, reply, type, first.value ?? '')
  if (request.method === 'HEAD') {
    reply.header('content-type', type).send()
    return
  }
  return sendStream(request, reply, type, streamOf(list, [first.value ?? '', second.value], pieces))
}

function streamOf(list: ListInProgress, ready: string[], pieces: Iterator<string>): Readable {
  const stream = new Readable({
    read() {
      const piece = ready.shift()
      if (piece !== undefined) this.push(piece)
      else void pushNext() // it cannot reject: a failure ends the stream
    },
  })
  async function pushNext() {
    await list.turn()
    if (list.ended()) return
    try {
      const { value, done } = pieces.next()
      stream.push(done ? null : value)
    } catch (error) {
      list.failed(error)
      stream.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }
  return stream
}
