// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { pipeline, Readable } from 'node:stream'
import { constants, createGzip, gzipSync } from 'node:zlib'

// Chosen by measurement, with 8, 16, 32 and 64 KiB: see docs/adr/0004-threads.md.
const PIECE_CHARACTERS = 32 * 1024

const encoder = new TextEncoder()

/** Puts small texts together into pieces worth a write, as UTF-8, each with memory of its own. */
export function* inPieces(texts: Iterable<string>, characters = PIECE_CHARACTERS): Generator<Uint8Array, void> {
  let piece = ''
  for (const text of texts) {
    piece += text
    if (piece.length < characters) continue
    yield encoder.encode(piece)
    piece = ''
  }
  if (piece !== '') yield encoder.encode(piece)
}

/** The same pieces compressed; what comes out has memory of its own too. Stops reading when nobody takes any more. */
export async function* packed(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const source = Readable.from(pieces, { objectMode: false, highWaterMark: 1 }) // one ahead, however small
  const packer = createGzip({ level: constants.Z_BEST_SPEED, chunkSize: PIECE_CHARACTERS })
  // The end of either one ends the other, and an error comes out of the loop.
  for await (const chunk of pipeline(source, packer, () => {})) yield Uint8Array.from(chunk)
}

/** One piece compressed. */
export function packedWhole(piece: Uint8Array): Uint8Array {
  return Uint8Array.from(gzipSync(piece, { level: constants.Z_BEST_SPEED }))
}
