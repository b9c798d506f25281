// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { readHeaders } from './header-block.ts'
import { headerValues } from './message.ts'

/*
 * Cuts a TCP or TLS stream into SIP messages (RFC 3261 §18.3): a header block, an empty line, and as many bytes of body
 * as Content-Length says. Bytes in, frames out; no socket and no clock, so the same stream gives the same frames
 * however it was cut into chunks.
 *
 * When the length of a body cannot be known (Content-Length twice, negative, hexadecimal, or missing where a
 * Content-Type announces a body) the stream has lost its frame: everything that follows may be body and must not be
 * read as a message. What came is kept as evidence until the listener ends the stream.
 */

export interface FramingLimits {
  /** Longest header block that may still become a message. */
  readonly maxHeadBytes: number
  /** Bytes of a body that are kept; a longer one is passed over, and the message is not complete. */
  readonly maxBodyBytes: number
}

/** Limits of the listeners: chosen, above anything a real client sends. */
export const FRAMING_LIMITS: FramingLimits = { maxHeadBytes: 65_536, maxBodyBytes: 65_536 }

export type Frame =
  | { readonly kind: 'message'; readonly bytes: Buffer; readonly complete: boolean }
  /** CRLFCRLF between messages: to be answered with CRLF (RFC 5626 §3.5.1). */
  | { readonly kind: 'ping' }

export interface Framer {
  /** The frames that are whole now. The chunk belongs to the framer from here on. */
  push(chunk: Buffer): Frame[]
  /** What is left when the stream ends or is given up; afterwards every byte is ignored. */
  end(): Frame[]
  /** No further message can be found in this stream: end it. */
  isLost(): boolean
  /** Bytes of a message that is not whole yet. */
  pendingBytes(): number
}

const EMPTY = Buffer.alloc(0)

type State =
  | { readonly at: 'head' }
  | { readonly at: 'body'; readonly head: Buffer; readonly bodyBytes: number }
  | { readonly at: 'lost' }
  | { readonly at: 'ended' }

export function createFramer(limits: FramingLimits = FRAMING_LIMITS): Framer {
  let state: State = { at: 'head' }
  const pending = createBacklog()
  let searchedTo = 0 // no end of a head before this offset of what is pending
  let passedOver = 0 // bytes of the current body that were too many to keep

  const message = (bytes: Buffer, complete: boolean): Frame => ({ kind: 'message', bytes, complete })

  /** One step; false when nothing more can be done with what is pending. */
  function step(frames: Frame[]): boolean {
    switch (state.at) {
      case 'head':
        return stepHead(frames)
      case 'body':
        return stepBody(state, frames)
      case 'lost':
        pending.keepFirst(limits.maxHeadBytes + limits.maxBodyBytes)
        return false
      case 'ended':
        pending.keepFirst(0)
        return false
      default:
        return state satisfies never
    }
  }

  function stepHead(frames: Frame[]): boolean {
    const bytes = pending.bytes()
    if (bytes.length === 0) return false
    const start = lineBreaks(bytes)
    if (start >= 4) {
      // A ping is two line breaks; two pings may stand in one segment.
      for (let pings = Math.floor(start / 4); pings > 0; pings--) frames.push({ kind: 'ping' })
      pending.dropFirst(start - (start % 4))
      searchedTo = 0
      return true
    }
    if (start === bytes.length) return false
    // Asked first: whether a TLS record's accidental empty line has come yet depends on how the stream was cut.
    const headEnd = isOtherProtocol(bytes, start) ? -1 : endOfHead(bytes, Math.max(start, searchedTo - 3))
    if (headEnd === -1) {
      searchedTo = bytes.length - start
      pending.dropFirst(start)
      if (isOtherProtocol(bytes, start) || searchedTo > limits.maxHeadBytes) state = { at: 'lost' }
      return state.at === 'lost'
    }
    searchedTo = 0
    const length = headEnd - start > limits.maxHeadBytes ? null : contentLength(bytes.subarray(start, headEnd))
    if (length === null) {
      pending.dropFirst(start)
      state = { at: 'lost' }
      return true
    }
    passedOver = 0
    state = { at: 'body', head: bytes.subarray(start, headEnd), bodyBytes: length }
    pending.dropFirst(headEnd)
    return true
  }

  function stepBody(body: State & { at: 'body' }, frames: Frame[]): boolean {
    const left = body.bodyBytes - passedOver
    const bytes = pending.bytes()
    if (bytes.length < left) {
      passedOver += Math.max(0, bytes.length - limits.maxBodyBytes)
      pending.keepFirst(limits.maxBodyBytes)
      return false
    }
    const kept = Math.min(left, limits.maxBodyBytes)
    frames.push(message(Buffer.concat([body.head, bytes.subarray(0, kept)]), kept === body.bodyBytes))
    state = { at: 'head' }
    pending.dropFirst(left)
    return true
  }

  return {
    push(chunk) {
      const frames: Frame[] = []
      pending.append(chunk)
      while (step(frames));
      return frames
    },
    end() {
      const head = state.at === 'body' ? state.head : EMPTY
      const ended = state.at === 'ended'
      state = { at: 'ended' }
      const rest = Buffer.concat([head, pending.bytes()])
      pending.keepFirst(0)
      const start = lineBreaks(rest)
      return ended || start === rest.length ? [] : [message(rest.subarray(start), false)]
    },
    isLost: () => state.at === 'lost',
    pendingBytes: () => pending.bytes().length + (state.at === 'body' ? state.head.length : 0),
  }
}

/** Bytes that wait for the rest of their message, in one buffer: a chunk of one byte costs one byte. */
interface Backlog {
  /** They stay as they are until they are dropped; what is appended later comes behind them. */
  bytes(): Buffer
  append(chunk: Buffer): void
  keepFirst(count: number): void
  dropFirst(count: number): void
}

function createBacklog(): Backlog {
  let room: Buffer = EMPTY // longer than what is in it: twice as long whenever it is full, so that time stays linear
  let length = 0
  return {
    bytes: () => room.subarray(0, length),
    append(chunk) {
      if (length === 0)
        room = chunk // as a rule it is a whole message, and nothing is copied
      else {
        if (length + chunk.length > room.length) {
          const larger = Buffer.allocUnsafeSlow(Math.max(2 * length, length + chunk.length))
          room.copy(larger, 0, 0, length)
          room = larger
        }
        chunk.copy(room, length)
      }
      length += chunk.length
    },
    keepFirst(count) {
      length = Math.min(length, count)
      if (length === 0) room = EMPTY
    },
    dropFirst(count) {
      room = room.subarray(count)
      length -= count
      if (length === 0) room = EMPTY
    },
  }
}

/** How many bytes of CR and LF the buffer begins with. */
function lineBreaks(bytes: Buffer): number {
  let at = 0
  while (at < bytes.length && (bytes[at] === 0x0d || bytes[at] === 0x0a)) at++
  return at
}

/** Index behind the first empty line, its line breaks CRLF or bare LF; -1 when there is none from `from` on. */
function endOfHead(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(0x0a, from); at !== -1; at = bytes.indexOf(0x0a, at + 1)) {
    if (bytes[at + 1] === 0x0a) return at + 2
    if (bytes[at + 1] === 0x0d && bytes[at + 2] === 0x0a) return at + 3
  }
  return -1
}

/** TLS records and SSH banners never have an empty line: waiting for one would keep the connection for nothing. */
function isOtherProtocol(bytes: Buffer, start: number): boolean {
  return (bytes[start] === 0x16 && bytes[start + 1] === 0x03) || bytes.toString('latin1', start, start + 4) === 'SSH-'
}

/** Bytes of body that the header block announces; null when that cannot be known. */
function contentLength(head: Buffer): number | null {
  const text = head.toString('latin1')
  const block = readHeaders(head, text, text.indexOf('\n') + 1) // as the parser does: the two must not disagree on a length
  const values = headerValues(block, 'content-length')
  if (values.length === 0) return block.names.includes('content-type') ? null : 0
  const [value = ''] = values
  return values.length === 1 && /^\d{1,9}$/.test(value) ? Number(value) : null
}
