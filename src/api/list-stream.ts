// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { Readable } from 'node:stream'

/** The body of a list, piece by piece as it arrives from whoever makes it. */
export interface PieceStream {
  readonly readable: Readable
  take(piece: Uint8Array): void
  done(): void
  fail(error: Error): void
}

/** A stream that takes what it is given, and asks for `more` once for each piece that its reader has taken off it. */
export function createPieceStream(more: () => void): PieceStream {
  const waiting: Uint8Array[] = []
  let isWanted = false
  let isDone = false
  const readable = new Readable({
    highWaterMark: 1, // a piece: what waits is counted by the credits of the list
    read() {
      isWanted = true
      pushNext()
    },
  })

  function pushNext(): void {
    if (!isWanted) return
    const piece = waiting.shift()
    if (piece === undefined) {
      if (isDone) readable.push(null)
      return
    }
    isWanted = false
    more()
    readable.push(Buffer.from(piece.buffer, piece.byteOffset, piece.length))
  }

  return {
    readable,
    take(piece) {
      waiting.push(piece)
      pushNext()
    },
    done() {
      isDone = true
      pushNext()
    },
    fail: (error) => readable.destroy(error),
  }
}
