// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/*
 * Hashes for tables that live as long as the process: 53 bits, so that one is a number. A cryptographic hash takes ten
 * times as long, most of it on the way into OpenSSL and back.
 *
 * Every word is multiplied by numbers that only this process knows, in two lanes, so what collides in one process does
 * not in the next, and nobody can try it out: no hash is ever sent. Still, nothing may hang on this that is worth an
 * attack. What is equal by hash is either the sender's own or, from a forged address, as good as his own.
 */

export interface KeyedHash {
  /** Linear in their length. `before` is a hash of what stands in front of them. */
  ofBytes(bytes: Uint8Array, before?: number): number
  /** Of text with one character a byte. A text and the next make another hash than the two joined. */
  ofText(text: string, before?: number): number
}

const LOW_BITS = 21 // of the second lane: 32 + 21 = 53
const LOW = 2 ** LOW_BITS

/** The upper bits of a hash, as a 32-bit number; its lower 32 bits are `hash | 0`. */
export function upperHalf(hash: number): number {
  return (hash / 2 ** 32) | 0
}

/** `key` is four random 32-bit numbers. */
export function createKeyedHash(key: Int32Array): KeyedHash {
  const [first = 0, second = 0, oneKey = 0, otherKey = 0] = key
  const byOne = oneKey | 1 // odd: nothing is lost in a product
  const byOther = otherKey | 1

  function finished(one: number, other: number, length: number): number {
    const high = mixed(one ^ Math.imul(other, byOne) ^ length)
    const low = mixed(other ^ Math.imul(one, byOther))
    return (high >>> 0) * LOW + (low >>> (32 - LOW_BITS))
  }

  return {
    ofBytes(bytes, before = 0) {
      let one = first ^ (before / LOW)
      let other = second ^ before
      const { length } = bytes
      const whole = length & ~3
      let at = 0
      for (; at < whole; at += 4) {
        const word =
          (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)
        one = Math.imul(one ^ word, byOne)
        one ^= one >>> 15
        other = Math.imul(other ^ word, byOther)
        other ^= other >>> 13
      }
      let word = 0
      for (; at < length; at++) word = (word << 8) | (bytes[at] ?? 0)
      return finished(Math.imul(one ^ word, byOne), Math.imul(other ^ word, byOther), length)
    },
    ofText(text, before = 0) {
      let one = first ^ (before / LOW)
      let other = second ^ before
      for (let at = 0; at < text.length; at++) {
        const character = text.charCodeAt(at)
        one = Math.imul(one ^ character, byOne)
        one ^= one >>> 15
        other = Math.imul(other ^ character, byOther)
        other ^= other >>> 13
      }
      return finished(one, other, text.length)
    },
  }
}

/** Every bit of the result hangs on every bit given (the end of MurmurHash3). */
function mixed(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}
