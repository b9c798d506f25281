// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { put, write } from './ascii.ts'
import { HEADER_NUMBERS } from './header-name.ts'
import { MAX_HEADERS, writeHeaderShape } from './header-shape.ts'
import { MAX_HOP_SHAPE, readHopShape } from './hop-shape.ts'
import type { SipRequest, SipResponse } from './message.ts'
import { writeTokenShape } from './token-shape.ts'
import { type Candidates, candidatesFor, type MessageShape, toolOf } from './tools.ts'
import { addressParameterPlace, indexIn, quotedEnd, startsWith } from './uri.ts'

/*
 * A short text made of what a program's code fixes in its messages and its target, the time and random numbers do not.
 * docs/fingerprints.md explains every character of it and why each part is in or out. Two things decided the form:
 *
 * Whatever is random must not show: token-shape.ts says how a random word is described by what does not change in it.
 *
 * Methods share it. Only headers that go with every method are in it, and what a body says comes last, behind the rest.
 *
 * Every packet has one made, so it is written byte by byte where its parts are read, and no string is made of a part.
 * Few programs write most of the packets: what a shape says of the tool is worked out once for each shape.
 */

const VERSION = 's1' // a change of what any message gives needs the next number: people keep these

// Chosen bounds: above what tools send; what lies behind them is not looked at.
const MAX_VALUE = 512
const MAX_USER_AGENT = 64

const ROOM_BYTES = 128 // chosen: twice the longest fingerprint; headers take up to 27 before they are summed up
const MAX_SHAPES = 1_024 // chosen: 300 KB at worst; a sweep has one or two, and who makes up more makes himself slower

const {
  via: VIA,
  from: FROM,
  contact: CONTACT,
  'call-id': CALL_ID,
  cseq: CSEQ,
  'max-forwards': MAX_FORWARDS,
  'user-agent': USER_AGENT,
} = HEADER_NUMBERS

export interface Fingerprint {
  /** At most 64 characters of [A-Za-z0-9._-], none of them the sender's own text. */
  readonly fingerprint: string
  /** A name of `TOOL_RULES`, or null when no rule fits. */
  readonly tool: string | null
}

type Message = SipRequest | SipResponse

/** What is known of a shape that came before. */
interface KnownShape {
  readonly fingerprint: string
  readonly candidates: Candidates
}

/**
 * Makes the function that says what wrote a message, as far as it shows. `bytes` are the packet that it was read of.
 * Never throws; looks at 64 headers, 512 characters of a value and 512 of the body at most. A response tells less, and
 * no tool: most of it is copied from the request.
 */
export function createFingerprinter(): (message: Message, bytes: Buffer) => Fingerprint {
  const room = Buffer.alloc(ROOM_BYTES)
  const order = new Uint8Array(MAX_HEADERS)
  const hop = new Uint8Array(MAX_HOP_SHAPE)
  const known = new Map<string, KnownShape>()
  let latest: KnownShape = { fingerprint: '', candidates: { rules: [], otherwise: null } }
  const latestBytes = Buffer.alloc(ROOM_BYTES)

  /** What is known of the shape whose fingerprint is in the room up to there; as a rule it is the one before's. */
  function shapeTo(end: number): KnownShape {
    if (end === latest.fingerprint.length && isSame(room, latestBytes, end)) return latest
    room.copy(latestBytes, 0, 0, end)
    latest = shapeOf(room.toString('latin1', 0, end))
    return latest
  }

  /** Bounded: what anybody may make up is forgotten again. */
  function shapeOf(fingerprint: string): KnownShape {
    const before = known.get(fingerprint)
    if (before !== undefined) return before
    if (known.size === MAX_SHAPES) known.clear()
    const shape = { fingerprint, candidates: candidatesFor(partsOf(fingerprint)) }
    known.set(fingerprint, shape)
    return shape
  }

  function ofResponse(message: SipResponse, bytes: Buffer): Fingerprint {
    let at = writeHeaderShape(room, write(room, 0, `${VERSION}r.`), order, message, bytes)
    at = put(room, put(room, at, '.'), contactForm(message, bytes))
    return {
      fingerprint: room.toString('latin1', 0, writeBody(room, at, sdpShape(bodyOf(message, bytes)))),
      tool: null,
    }
  }

  function ofRequest(message: SipRequest, bytes: Buffer): Fingerprint {
    const { text } = message
    const sdp = sdpShape(bodyOf(message, bytes))
    const fromStart = valueStart(message, FROM)
    const fromEnd = valueEnd(message, FROM)
    const tag = addressParameterPlace(text, fromStart, fromEnd, 'tag') ?? NOWHERE
    const via = readHopShape(text, bytes, valueStart(message, VIA), valueEnd(message, VIA), hop)

    let at = writeHeaderShape(room, write(room, 0, `${VERSION}.`), order, message, bytes)
    at = writeBranch(room, put(room, at, '.'), text, bytes, via.branchStart, via.branchEnd)
    at = put(room, at, '.')
    for (let index = 0; index < via.hopLength; index++) room[at++] = hop[index] ?? 0
    at = put(room, put(room, at, '.'), addressForm(text, bytes, fromStart, fromEnd))
    at = put(room, at, '.')
    if (hasSpacedTag(text, bytes, fromStart, fromEnd)) at = put(room, at, '_')
    at = writeTokenShape(room, at, bytes, tag.start, tag.end)
    at = writeCallId(room, put(room, at, '.'), text, bytes, valueStart(message, CALL_ID), valueEnd(message, CALL_ID))
    at = put(room, put(room, at, '.'), numberClass(text, bytes, valueStart(message, CSEQ), valueEnd(message, CSEQ)))
    at = writeMaxForwards(room, at, bytes, valueStart(message, MAX_FORWARDS), valueEnd(message, MAX_FORWARDS))
    at = writeBody(room, put(room, put(room, at, '.'), contactForm(message, bytes)), sdp)

    const { fingerprint, candidates } = shapeTo(at)
    if (candidates.rules.length === 0 && candidates.otherwise !== null) {
      return { fingerprint, tool: candidates.otherwise }
    }
    const agentStart = valueStart(message, USER_AGENT)
    const tool = toolOf(candidates, {
      branch: via.branchStart === -1 ? '' : text.slice(via.branchStart, via.branchEnd),
      tag: text.slice(tag.start, tag.end),
      session: sdp.session,
      userAgent: text.slice(agentStart, Math.min(valueEnd(message, USER_AGENT), agentStart + MAX_USER_AGENT)),
    })
    return { fingerprint, tool }
  }

  return (message, bytes) => (message.kind === 'request' ? ofRequest(message, bytes) : ofResponse(message, bytes))
}

function isSame(one: Uint8Array, other: Uint8Array, end: number): boolean {
  for (let at = 0; at < end; at++) if (one[at] !== other[at]) return false
  return true
}

const NOWHERE = { start: 0, end: 0 }

/** A fingerprint of a request is its parts with points between them; no part has one. */
function partsOf(fingerprint: string): MessageShape {
  const [
    ,
    headers = '',
    branch = '',
    hop = '',
    from = '',
    tag = '',
    callId = '',
    numbers = '',
    contact = '',
    sdp = '',
  ] = fingerprint.split('.')
  return {
    headers,
    branch,
    hop,
    from,
    tag,
    callId,
    cseq: numbers.slice(0, 1),
    maxForwards: numbers.slice(1),
    contact,
    sdp,
  }
}

/** Where the first header of that number has its value, as received; 0 for none. */
function valueStart({ firsts, spans }: Message, number: number): number {
  const index = firsts[number] ?? -1
  return index === -1 || index >= MAX_HEADERS ? 0 : (spans[index * 4 + 2] ?? 0)
}

/** Where it ends, or is cut; 0 for none. */
function valueEnd({ firsts, spans }: Message, number: number): number {
  const index = firsts[number] ?? -1
  if (index === -1 || index >= MAX_HEADERS) return 0
  return Math.min(spans[index * 4 + 3] ?? 0, (spans[index * 4 + 2] ?? 0) + MAX_VALUE)
}

const COOKIE = 'z9hG4bK' // RFC 3261 §8.1.1.7: a branch begins with it; what follows it is the tool's own

function writeBranch(
  room: Uint8Array,
  at: number,
  text: string,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  if (start === -1) return put(room, at, '-')
  return startsWith(text, COOKIE, start, end)
    ? writeTokenShape(room, put(room, at, 'z'), bytes, start + COOKIE.length, end)
    : writeTokenShape(room, put(room, at, 'o'), bytes, start, end)
}

function writeCallId(
  room: Uint8Array,
  at: number,
  text: string,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  const host = indexIn(text, '@', start, end)
  return host === -1
    ? writeTokenShape(room, at, bytes, start, end)
    : put(room, writeTokenShape(room, at, bytes, start, host), 'h')
}

function contactForm(message: Message, bytes: Uint8Array): string {
  return addressForm(message.text, bytes, valueStart(message, CONTACT), valueEnd(message, CONTACT))
}

/** How an address is written: in brackets, behind a quoted or bare name with or without a space, or bare. */
function addressForm(text: string, bytes: Uint8Array, start: number, end: number): string {
  if (start === end) return '-'
  const first = bytes[start]
  if (first === 0x3c) return 'b'
  if (first === 0x22) {
    const behind = quotedEnd(text, start, end)
    if (behind === -1) return 'o'
    return behind < end && bytes[behind] === 0x3c ? 'q' : 'Q'
  }
  if (startsWith(text, 'sip:', start, end)) return 'u'
  const bracket = indexIn(text, '<', start, end)
  if (bracket === -1) return end - start === 1 && first === 0x2a ? 's' : 'o'
  return bytes[bracket - 1] === 0x20 ? 'T' : 't'
}

/** Whether `; tag=` stands in it, with that one space. */
function hasSpacedTag(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = indexIn(text, ';', start, end); at !== -1; at = indexIn(text, ';', at + 1, end)) {
    if (bytes[at + 1] === 0x20 && startsWith(text, '; tag=', at, end)) return true
  }
  return false
}

/** Small numbers count; large ones were drawn. */
function numberClass(text: string, bytes: Uint8Array, start: number, end: number): string {
  if (start === end) return '-'
  if (isDigit(bytes[start]) && !isDigit(bytes[start + 1])) return 's' // as in nearly all
  const number = Number.parseInt(text.slice(start, end), 10)
  if (Number.isNaN(number)) return 'o'
  return number < 100 ? 's' : 'l'
}

function writeMaxForwards(room: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return put(room, at, 'n')
  if (end - start > 3) return put(room, at, 'o')
  for (let index = start; index < end; index++) {
    if (!isDigit(bytes[index])) return put(room, at, 'o')
    room[at + index - start] = bytes[index] ?? 0
  }
  return at + end - start
}

function isDigit(code = 0): boolean {
  return code >= 0x30 && code <= 0x39
}

/** The first characters of the body. */
function bodyOf({ bodyStart, bodyEnd, text }: Message, bytes: Buffer): string {
  if (bodyStart === bodyEnd) return ''
  const end = Math.min(bodyEnd, bodyStart + MAX_VALUE)
  return text.length === bytes.length ? text.slice(bodyStart, end) : bytes.toString('latin1', bodyStart, end)
}

interface SdpShape {
  readonly shape: string
  readonly session: string
}

const NO_SDP: SdpShape = { shape: '', session: '' }

function writeBody(room: Uint8Array, at: number, { shape }: SdpShape): number {
  return shape === '' ? at : write(room, put(room, at, '.'), shape)
}

/** Who the origin of a session description is, whether its numbers are one, and what the session is called. */
function sdpShape(body: string): SdpShape {
  if (body === '') return NO_SDP
  const origin = sdpLine(body, 'o=')
  const session = sdpLine(body, 's=')
  if (origin === null || session === null) return { shape: 'x', session: '' }
  const [user = '', id = '', version = ''] = origin.split(' ', 3)
  const numbers = id === version ? (id === '0' ? 'z' : 'e') : 'd'
  return { shape: `${user === '-' ? 'h' : 'u'}${numbers}${sessionClass(session, user)}`, session }
}

function sessionClass(session: string, user: string): string {
  if (session === '-') return 'h'
  if (session === '' || session === ' ') return 's'
  return session === user ? 'o' : 't'
}

function sdpLine(text: string, type: string): string | null {
  const at = text.indexOf(`\n${type}`)
  if (at === -1) return null
  const lineFeed = text.indexOf('\n', at + 1)
  const end = lineFeed === -1 ? text.length : lineFeed
  return text.slice(at + 3, text.charCodeAt(end - 1) === 0x0d ? end - 1 : end)
}
