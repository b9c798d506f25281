// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { constants, crc32, deflateRawSync, gzipSync } from 'node:zlib'

// Chosen: each piece costs a message and a write, and holds up a look-up for as long as it takes to be written.
const PIECE_CHARACTERS = 32 * 1024
// A packed piece is ready at so many bytes, or when so many have gone into it: so long may a turn be, and what packs well
// would otherwise come late.
const PACKED_BYTES = 8 * 1024
const MOST_SEGMENTS = 4

const GZIP_HEAD = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255] // RFC 1952 §2.3: deflate, no time, fastest, system unknown
const LAST_BLOCK = [0x03, 0x00] // RFC 1951 §3.2.3: final, fixed codes, nothing but the end
const SEGMENT = { level: constants.Z_BEST_SPEED, finishFlush: constants.Z_SYNC_FLUSH }

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

/**
 * The same pieces as one gzip file, in pieces with memory of their own. Each is deflated by itself up to a byte boundary
 * (RFC 1951 §3.2.4, an empty stored block) and put behind the ones before: so it is done in this thread and at its
 * priority, where a stream of node:zlib would use the threads that the whole process shares.
 */
export function* packed(pieces: Iterable<Uint8Array>, leastBytes = PACKED_BYTES): Generator<Uint8Array, void> {
  let waiting: Uint8Array[] = [Uint8Array.from(GZIP_HEAD)]
  let bytes = GZIP_HEAD.length
  let checksum = 0
  let length = 0
  for (const piece of pieces) {
    checksum = crc32(piece, checksum)
    length += piece.length
    const segment = deflateRawSync(piece, SEGMENT)
    waiting.push(segment)
    bytes += segment.length
    if (bytes < leastBytes && waiting.length < MOST_SEGMENTS) continue
    yield joined(waiting)
    waiting = []
    bytes = 0
  }
  const end = Buffer.alloc(8) // RFC 1952 §2.3.1: CRC32, then the length modulo 2^32
  end.writeUInt32LE(checksum, 0)
  end.writeUInt32LE(length % 2 ** 32, 4)
  yield joined([...waiting, Uint8Array.from(LAST_BLOCK), end])
}

/** One piece compressed. */
export function packedWhole(piece: Uint8Array): Uint8Array {
  return Uint8Array.from(gzipSync(piece, { level: constants.Z_BEST_SPEED }))
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
