// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { isAscii, isUtf8 } from 'node:buffer'

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
  // Code units are written into one buffer: a string that is added to byte by byte became a chain of 60,000 pieces.
  const units = new Uint16Array(bytes.length) // no character takes more code units than bytes
  let length = 0
  for (let at = 0; at < bytes.length; ) {
    const bytesTaken = sequenceLength(bytes, at)
    const code = bytesTaken === 0 ? RAW + (bytes[at] ?? 0) : codePoint(bytes, at, bytesTaken)
    at += Math.max(1, bytesTaken)
    if (code < 0x10000) units[length++] = code
    else {
      units[length++] = 0xd7c0 + (code >> 10) // a surrogate pair, Unicode 16.0 §3.9, D91
      units[length++] = 0xdc00 + (code & 0x3ff)
    }
  }
  return Buffer.from(units.buffer, 0, length * 2).toString('utf16le')
}

/** Whether these bytes are text that is the same in every encoding here: each character is its byte, none is escaped. */
export function isPlainText(bytes: Buffer): boolean {
  return isAscii(bytes) && !bytes.includes(0)
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
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0
  if (length === 0 || at + length > bytes.length || !isSecond(lead, second)) return 0
  for (let next = at + 2; next < at + length; next++) if (!isContinuation(bytes[next] ?? 0)) return 0
  return length
}

/** The second byte says more than the others: no overlong forms, no surrogates, nothing above U+10FFFF (RFC 3629 §4). */
function isSecond(lead: number, second: number): boolean {
  if (lead === 0xe0) return second >= 0xa0 && second <= 0xbf
  if (lead === 0xed) return second >= 0x80 && second <= 0x9f
  if (lead === 0xf0) return second >= 0x90 && second <= 0xbf
  if (lead === 0xf4) return second >= 0x80 && second <= 0x8f
  return isContinuation(second)
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80
}

function codePoint(bytes: Buffer, at: number, length: number): number {
  const lead = bytes[at] ?? 0
  let code = length === 1 ? lead : lead & (0x7f >> length)
  for (let next = at + 1; next < at + length; next++) code = (code << 6) | ((bytes[next] ?? 0) & 0x3f)
  return code
}
