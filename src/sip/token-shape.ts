// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { put } from './ascii.ts'

/*
 * What a random word (a branch, a tag, a Call-ID) looks like whatever was drawn. A hexadecimal number of eight digits
 * has no letter in it once in 43 times, so digits and hexadecimal digits are one alphabet, and the bounds between
 * lengths lie where no usual number ends.
 */

// Chosen: three times sipvicious's longest usual tag (42); and as many parts as tell the known tools apart.
const MAX_TOKEN = 128
const MAX_RUNS = 8

// Kinds of characters in a token, one bit each.
const DIGIT = 1
const LOWER_HEX = 2
const UPPER_HEX = 4
const LOWER = 8
const UPPER = 16
const DASH = 32
const OTHER = 64
const SEPARATOR = DASH | OTHER
const KINDS: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) => kindOf(String.fromCharCode(code)))

function kindOf(character: string): number {
  if (/[0-9]/.test(character)) return DIGIT
  if (/[a-f]/.test(character)) return LOWER_HEX
  if (/[A-F]/.test(character)) return UPPER_HEX
  if (/[g-z~]/.test(character)) return LOWER // belle-sip draws from 64 characters, and this is one
  if (/[G-Z]/.test(character)) return UPPER
  return character === '-' ? DASH : OTHER
}

/**
 * Writes the alphabet and length of the random word at `bytes[start..end)`, or the pattern of its parts when it has
 * several: `-524287-1---38f4` is `-x-x---x`. A word that mixes capitals and small letters was drawn from all of them,
 * separators too. It takes at most eight bytes of `room` from `at` on, which are ASCII; returns where they end.
 */
export function writeTokenShape(room: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return put(room, at, '-')
  const stop = Math.min(end, start + MAX_TOKEN)
  const lead = KINDS[bytes[start] ?? 0] ?? OTHER
  const isLed = (lead & SEPARATOR) !== 0
  const from = isLed ? start + 1 : start
  const behindLead = isLed ? put(room, at, separator(lead)) : at
  if (from === stop) return behindLead
  let kinds = 0
  for (let index = from; index < stop; index++) kinds |= KINDS[bytes[index] ?? 0] ?? OTHER
  const isMixed = (kinds & (LOWER | LOWER_HEX)) !== 0 && (kinds & (UPPER | UPPER_HEX)) !== 0
  if (!isMixed && (kinds & SEPARATOR) !== 0) return writeRuns(room, behindLead, at + MAX_RUNS, bytes, from, stop)
  if (!isMixed && (kinds & (LOWER | UPPER)) === 0 && isHexadecimalText(bytes, from, stop)) {
    return put(room, behindLead, 'v')
  }
  const alphabet = isMixed || (kinds & (LOWER | UPPER)) !== 0 ? 'a' : kinds === DIGIT && stop - from > 20 ? 'd' : 'x'
  return put(room, put(room, behindLead, alphabet), lengthClass(stop - from))
}

/** Between 10 and 11 and between 20 and 21: 32-bit, 64-bit and longer numbers, in either base, do not straddle these. */
function lengthClass(length: number): string {
  if (length <= 10) return '1'
  return length <= 20 ? '2' : '3'
}

function writeRuns(room: Uint8Array, at: number, most: number, bytes: Uint8Array, start: number, end: number): number {
  let written = at
  for (let index = start; index < end && written < most; ) {
    const kind = KINDS[bytes[index] ?? 0] ?? OTHER
    if ((kind & SEPARATOR) !== 0) {
      written = put(room, written, separator(kind))
      index++
      continue
    }
    let kinds = 0
    for (; index < end; index++) {
      const next = KINDS[bytes[index] ?? 0] ?? OTHER
      if ((next & SEPARATOR) !== 0) break
      kinds |= next
    }
    written = put(room, written, (kinds & (LOWER | UPPER)) === 0 ? 'x' : 'a')
  }
  return written
}

function separator(kind: number): string {
  return kind === DASH ? '-' : '_'
}

const LEAST_NUMBER = 6 // digits; of 65,536 numbers of 32 bits one or two are shorter

/**
 * sipvicious writes the target and a decimal number into its tag, with the byte 01 between, as hexadecimal digits. A long
 * decimal number may happen to begin so, but does not go on with nothing but digits of that kind.
 */
function isHexadecimalText(bytes: Uint8Array, from: number, length: number): boolean {
  if (length - from < 14 || (length - from) % 2 !== 0) return false
  let breakAt = -1
  for (let at = from; at < length; at += 2) {
    const high = bytes[at] ?? 0
    const low = bytes[at + 1] ?? 0
    if (breakAt !== -1) {
      if (high !== 0x33 || low < 0x30 || low > 0x39) return false
    } else if (high === 0x30 && low === 0x31) breakAt = at
    else if (high < 0x32 || high > 0x37) return false
  }
  return breakAt !== -1 && (length - breakAt) / 2 > LEAST_NUMBER
}
