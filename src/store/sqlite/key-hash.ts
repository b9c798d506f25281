// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** Gives 32 bits for a text, as an unsigned integer. */
export type KeyHash = (text: string) => number

const CHARACTERS_IN_WORD = 4

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

  /** `wordAt` gives the little-endian word at a byte offset, zeroes behind the end. */
  function hash(length: number, wordAt: (offset: number) => number): number {
    let v0 = k0
    let v1 = k1
    let v2 = k0 ^ 0x6c796765
    let v3 = k1 ^ 0x74656462
    const rounds = (count: number) => {
      for (let round = 0; round < count; round++) {
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
    }
    const whole = length - (length % CHARACTERS_IN_WORD)
    for (let offset = 0; offset <= whole; offset += CHARACTERS_IN_WORD) {
      const word = offset < whole ? wordAt(offset) : wordAt(offset) | (length << 24) // the last one holds the length
      v3 ^= word
      rounds(2)
      v0 ^= word
    }
    v2 ^= 0xff
    rounds(4)
    return (v1 ^ v3) >>> 0
  }

  return (text) => {
    let all = 0
    for (let at = 0; at < text.length; at++) all |= text.charCodeAt(at)
    if (all < 0x80) {
      const code = (at: number) => (at < text.length ? text.charCodeAt(at) : 0)
      return hash(text.length, (at) => code(at) | (code(at + 1) << 8) | (code(at + 2) << 16) | (code(at + 3) << 24))
    }
    const utf8 = Buffer.from(text)
    const code = (at: number) => utf8[at] ?? 0
    return hash(utf8.length, (at) => code(at) | (code(at + 1) << 8) | (code(at + 2) << 16) | (code(at + 3) << 24))
  }
}
