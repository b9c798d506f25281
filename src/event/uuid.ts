// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

export interface UuidSources {
  /** Milliseconds since 1970; a fraction is left out. */
  readonly wallMs: () => number
  /** Fills all of it with random bytes that nobody can foretell. */
  readonly fillRandom: (bytes: Uint8Array) => void
}

const TEMPLATE = 'tttttttt-tttt-7rrr-vrrr-rrrrrrrrrrrr'
const TIME_DIGITS = [...Array(8).keys(), 9, 10, 11, 12] // where those of the milliseconds are
const RANDOM_BYTES = 10
const POOL_BYTES = 400 * RANDOM_BYTES // chosen: asking for random bytes has a price each time
const HEXADECIMAL = Buffer.from('0123456789abcdef', 'latin1')

/**
 * Makes the function that makes UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds, version, 12 random bits, variant, 62
 * random bits. Ours because each packet takes one: it is written into one buffer, of which the time stays as it is for a
 * millisecond, and makes no text but its own.
 */
export function createUuidv7({ wallMs, fillRandom }: UuidSources): () => string {
  const room = Buffer.from(TEMPLATE, 'latin1')
  const pool = new Uint8Array(POOL_BYTES)
  let used = POOL_BYTES
  let writtenMs = -1

  function writeTime(ms: number): void {
    const digits = ms.toString(16).padStart(TIME_DIGITS.length, '0')
    for (const [index, at] of TIME_DIGITS.entries()) room[at] = digits.charCodeAt(index)
    writtenMs = ms
  }

  function writeByte(at: number, byte: number): void {
    room[at] = HEXADECIMAL[byte >> 4] ?? 0
    room[at + 1] = HEXADECIMAL[byte & 15] ?? 0
  }

  return () => {
    const ms = Math.floor(wallMs())
    if (ms !== writtenMs) writeTime(ms)
    if (used === POOL_BYTES) {
      fillRandom(pool)
      used = 0
    }
    const a = pool[used] ?? 0
    const b = pool[used + 1] ?? 0
    room[15] = HEXADECIMAL[a & 15] ?? 0
    writeByte(16, b)
    writeByte(19, 0x80 | ((pool[used + 2] ?? 0) & 0x3f))
    writeByte(21, pool[used + 3] ?? 0)
    for (let index = 4; index < RANDOM_BYTES; index++) writeByte(16 + 2 * index, pool[used + index] ?? 0)
    used += RANDOM_BYTES
    return room.toString('latin1')
  }
}
