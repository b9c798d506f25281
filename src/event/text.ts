// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { isUtf8 } from 'node:buffer'

/*
 * A message is bytes; a database column, a JSON string and an API answer are Unicode text. Text must come out of any
 * bytes, be valid UTF-8 for every reader, and give the bytes back.
 *
 * Valid UTF-8 is itself. A byte that is not part of valid UTF-8, and NUL (at which C programs would end the text), is
 * written as the private-use character U+EF00 + byte: MirBSD's OPTU encoding uses U+EF80..U+EFFF in the same way. So
 * that nothing is ambiguous, a message that really holds a character of U+EF00..U+EFFF has that character's three
 * bytes written that way too.
 */
const RAW = 0xef00

// How a real U+EF00..U+EFFF starts in UTF-8: EE BC, EE BD, EE BE or EE BF.
const RAW_LEAD = 0xee
const RAW_SECOND_FIRST = 0xbc

/** The text of `bytes`, from which `bytesOfText` makes the same bytes again. */
export function textOfBytes(bytes: Buffer): string {
  if (isUtf8(bytes) && !bytes.includes(0) && !bytes.includes(RAW_LEAD)) return bytes.toString('utf8')
  let text = ''
  let plainFrom = 0
  let at = 0
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at)
    if (length > 0) {
      at += length
      continue
    }
    text += bytes.toString('utf8', plainFrom, at) + String.fromCharCode(RAW + (bytes[at] ?? 0))
    at++
    plainFrom = at
  }
  return text + bytes.toString('utf8', plainFrom)
}

/** The text of one-byte-per-character (latin1) text, such as a slice of a scanned header block. */
export function textOfLatin1(latin1: string): string {
  return /^[\x01-\x7f]*$/.test(latin1) ? latin1 : textOfBytes(Buffer.from(latin1, 'latin1'))
}

/** The bytes that `textOfBytes` made this text of. */
export function bytesOfText(text: string): Buffer {
  const parts: Buffer[] = []
  let plainFrom = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < RAW || code > RAW + 0xff) continue
    parts.push(Buffer.from(text.slice(plainFrom, at)), Buffer.of(code - RAW))
    plainFrom = at + 1
  }
  return Buffer.concat([...parts, Buffer.from(text.slice(plainFrom))])
}

/** How many bytes the character at `at` takes when it may stand for itself; 0 when its first byte must be escaped. */
function sequenceLength(bytes: Buffer, at: number): number {
  const lead = bytes[at] ?? 0
  if (lead === 0) return 0
  if (lead < 0x80) return 1
  const second = bytes[at + 1] ?? 0
  if (lead === RAW_LEAD && second >= RAW_SECOND_FIRST) return 0
  const length =
    lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0
  return length > 0 && at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length)) ? length : 0
}
