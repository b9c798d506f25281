// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { put, write } from './ascii.ts'
import { HEADER_NUMBERS, type HeaderName } from './header-name.ts'
import type { HeaderBlock } from './message.ts'

/** Chosen: above what tools send; what lies behind is not looked at. */
export const MAX_HEADERS = 64

const MAX_MARKED_HEADERS = 12 // chosen: the nine letters, and three marks

/** A header that goes with every method, and its letter in a fingerprint. */
interface Letter {
  readonly number: number
  readonly code: number
}

const LETTERS: readonly Letter[] = (
  [
    ['via', 'v'],
    ['max-forwards', 'm'],
    ['to', 't'],
    ['from', 'f'],
    ['user-agent', 'u'],
    ['call-id', 'i'],
    ['contact', 'k'],
    ['cseq', 'c'],
    ['content-length', 'l'],
  ] as const satisfies readonly (readonly [HeaderName, string])[]
).map(([name, letter]) => ({ number: HEADER_NUMBERS[name], code: letter.charCodeAt(0) }))

const CONTENT_LENGTH = HEADER_NUMBERS['content-length']

/**
 * Writes the letters of the headers in order, each with marks for an unusual spelling and unusual white space. `order`
 * is all zero, and is left so: by place of a header, one more than its letter's place in LETTERS.
 */
export function writeHeaderShape(
  room: Uint8Array,
  start: number,
  order: Uint8Array,
  block: HeaderBlock,
  bytes: Uint8Array,
): number {
  const { text, firsts, spans, oddNames } = block
  let count = 0
  for (let letter = 0; letter < LETTERS.length; letter++) {
    const index = firsts[LETTERS[letter]?.number ?? 0] ?? -1 // the first: a second Via is another program's
    if (index === -1 || index >= MAX_HEADERS) continue
    order[index] = letter + 1
    if (index >= count) count = index + 1
  }
  let at = start
  for (let index = 0; index < count; index++) {
    const place = order[index] ?? 0
    if (place === 0) continue
    order[index] = 0
    const letter = LETTERS[place - 1]
    if (letter === undefined) continue
    const nameEnd = spans[index * 4 + 1] ?? 0
    const value = spans[index * 4 + 2] ?? 0
    const isOdd = (oddNames & (1 << letter.number)) !== 0
    room[at++] = letter.code
    if (isOdd) at = put(room, at, spellingMark(text.slice(spans[index * 4], nameEnd)))
    if (!isUsualSpace(bytes, nameEnd, value)) at = write(room, at, spaceMark(bytes, nameEnd, value, letter.number))
  }
  if (at === start) return put(room, start, '-')
  return at - start <= MAX_MARKED_HEADERS ? at : write(room, start, `h${hash(room, start, at)}`)
}

function spellingMark(name: string): string {
  if (name.length === 1) return '1'
  if (name === name.toLowerCase()) return '2'
  return name === name.toUpperCase() ? '3' : '4'
}

/** A colon and one space. */
function isUsualSpace(bytes: Uint8Array, nameEnd: number, value: number): boolean {
  return value === nameEnd + 2 && bytes[nameEnd] === 0x3a && bytes[nameEnd + 1] === 0x20
}

/** Of Content-Length only what stands before the colon: sipp pads the numbers that it fills in and not its own zeros. */
function spaceMark(bytes: Uint8Array, nameEnd: number, value: number, number: number): string {
  if (bytes[nameEnd] !== 0x3a) return '-'
  if (number === CONTENT_LENGTH) return ''
  return value === nameEnd + 1 ? '0' : '_'
}

/** FNV-1a in 32 bits: headers so oddly spelt that their letters would take too much room. */
function hash(bytes: Uint8Array, start: number, end: number): string {
  let sum = 0x811c9dc5
  for (let at = start; at < end; at++) sum = Math.imul(sum ^ (bytes[at] ?? 0), 0x01000193)
  return (sum >>> 0).toString(16).padStart(8, '0')
}
