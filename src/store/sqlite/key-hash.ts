// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** Gives 32 bits for a text, as an unsigned integer. */
export type KeyHash = (text: string) => number

const CHARACTERS_IN_WORD = 4
const COMPRESSION_ROUNDS = 2
const FINAL_ROUNDS = 4

/**
 * HalfSipHash-2-4 with 32 bits of output, over the UTF-8 bytes of a text. Its key is of the file, so nobody outside can
 * choose addresses or numbers that collide. Algorithm and test vectors: https://github.com/veorq/SipHash.
 * `key` is 16 hexadecimal digits.
 */
export function createKeyHash(key: string): KeyHash {
  const bytes = Buffer.from(key, 'hex')
  if (bytes.length !== 8) throw new Error('the key of the index is not 16 hexadecimal digits')
  const k0 = bytes.readInt32LE(0)
  const k1 = bytes.readInt32LE(4)

  /** Of characters below 0x80, or of bytes as characters: so nobody has to copy a text that is ASCII. */
  function hash(text: string): number {
    const { length } = text
    const whole = length - (length % CHARACTERS_IN_WORD)
    let v0 = k0
    let v1 = k1
    let v2 = k0 ^ 0x6c796765
    let v3 = k1 ^ 0x74656462
    let word = 0
    // The rounds are written out where they are: as a function over variables of this one they took three times as long.
    for (let at = 0, round = 0; round < FINAL_ROUNDS; ) {
      if (at < whole) {
        word = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 8)
        word |= (text.charCodeAt(at + 2) << 16) | (text.charCodeAt(at + 3) << 24)
        v3 ^= word
      } else if (at === whole) {
        word = length << 24 // the last one holds the length
        for (let left = whole; left < length; left++) word |= text.charCodeAt(left) << (8 * (left - whole))
        v3 ^= word
      } else {
        if (round === 0) v2 ^= 0xff
        round += COMPRESSION_ROUNDS
      }
      for (let pass = 0; pass < COMPRESSION_ROUNDS; pass++) {
        v0 = (v0 + v1) | 0
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
        v0 = (v0 << 16) | (v0 >>> 16)
        v2 = (v2 + v3) | 0
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
        v0 = (v0 + v3) | 0
        v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
        v2 = (v2 + v1) | 0
        v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
        v2 = (v2 << 16) | (v2 >>> 16)
      }
      if (at <= whole) v0 ^= word
      at += CHARACTERS_IN_WORD
    }
    return (v1 ^ v3) >>> 0
  }

  return (text) => {
    let all = 0
    for (let at = 0; at < text.length; at++) all |= text.charCodeAt(at)
    return hash(all < 0x80 ? text : Buffer.from(text).toString('latin1'))
  }
}
