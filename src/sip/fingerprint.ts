// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { HEADER_NUMBERS, type HeaderName } from './header-name.ts'
import type { SipRequest, SipResponse } from './message.ts'
import { writeTokenShape } from './token-shape.ts'
import { type Candidates, candidatesFor, type MessageShape, toolOf } from './tools.ts'
import { addressParameterPlace, indexIn, quotedEnd } from './uri.ts'

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
const MAX_HEADERS = 64
const MAX_VALUE = 512
const MAX_USER_AGENT = 64
const MAX_MARKED_HEADERS = 12
const MAX_HOP_PARAMETERS = 4

const ROOM_BYTES = 128 // chosen: twice the longest fingerprint; headers take up to 27 before they are summed up
const MAX_SHAPES = 1_024 // chosen: 300 KB at worst; a sweep has one or two, and who makes up more makes himself slower

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

const {
  via: VIA,
  from: FROM,
  contact: CONTACT,
  'call-id': CALL_ID,
  cseq: CSEQ,
  'content-length': CONTENT_LENGTH,
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
  const hop = new Uint8Array(1 + MAX_HOP_PARAMETERS)
  const known = new Map<string, KnownShape>()

  /** What is known of the shape whose fingerprint this is. Bounded: what anybody may make up is forgotten again. */
  function shapeOf(fingerprint: string): KnownShape {
    const before = known.get(fingerprint)
    if (before !== undefined) return before
    if (known.size === MAX_SHAPES) known.clear()
    const shape = { fingerprint, candidates: candidatesFor(partsOf(fingerprint)) }
    known.set(fingerprint, shape)
    return shape
  }

  function ofResponse(message: SipResponse, bytes: Buffer): Fingerprint {
    let at = writeHeaders(room, write(room, 0, `${VERSION}r.`), order, message, bytes)
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
    const via = readVia(text, bytes, valueStart(message, VIA), valueEnd(message, VIA), hop)

    let at = writeHeaders(room, write(room, 0, `${VERSION}.`), order, message, bytes)
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

    const { fingerprint, candidates } = shapeOf(room.toString('latin1', 0, at))
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

/** Writes one character; returns the place behind it. */
function put(room: Uint8Array, at: number, character: string): number {
  room[at] = character.charCodeAt(0)
  return at + 1
}

/** Writes ASCII; returns the place behind it. */
function write(room: Uint8Array, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) room[at + index] = text.charCodeAt(index)
  return at + text.length
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

/**
 * Writes the letters of the headers in order, each with marks for an unusual spelling and unusual white space. `order`
 * is all zero, and is left so: by place of a header, one more than its letter's place in LETTERS.
 */
function writeHeaders(room: Uint8Array, start: number, order: Uint8Array, message: Message, bytes: Uint8Array): number {
  const { text, firsts, spans, oddNames } = message
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

/** The topmost hop: where its branch is, or -1; `hop` takes whether it names a port, then its first parameters in order. */
function readVia(text: string, bytes: Uint8Array, start: number, end: number, hop: Uint8Array) {
  let at = parameterEnd(bytes, start, end)
  put(hop, 0, hasPort(bytes, start, at) ? 'p' : 'n')
  let hopLength = 1
  let branchStart = -1
  let branchEnd = -1
  while (at < end && bytes[at] === 0x3b && hopLength < hop.length) {
    let name = at + 1
    while (name < end && bytes[name] === 0x20) name++
    at = parameterEnd(bytes, name, end)
    const letter = parameterLetter(text, bytes, name, at)
    hopLength = put(hop, hopLength, letter)
    if (letter === 'b' && branchStart === -1) {
      branchStart = name + BRANCH.length
      branchEnd = at
    }
  }
  return { hopLength, branchStart, branchEnd }
}

/** Index of the next semicolon, of the comma at which the hop ends, or `end`. */
function parameterEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && bytes[at] !== 0x3b && bytes[at] !== 0x2c) at++
  return at
}

/** Whether a colon stands behind the last bracket of a sent-by. */
function hasPort(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = end - 1; at >= start; at--) {
    if (bytes[at] === 0x3a) return true
    if (bytes[at] === 0x5d) return false
  }
  return false
}

const BRANCH = 'branch='
const RPORT = 'rport'
const COOKIE = 'z9hG4bK' // RFC 3261 §8.1.1.7: a branch begins with it; what follows it is the tool's own

function parameterLetter(text: string, bytes: Uint8Array, start: number, end: number): string {
  switch (bytes[start]) {
    case 0x61:
      return startsWith(text, 'alias', start, end) ? 'a' : 'o'
    case 0x62:
      return startsWith(text, BRANCH, start, end) ? 'b' : 'o'
    case 0x72:
      if (!startsWith(text, RPORT, start, end)) return 'o'
      return start + RPORT.length < end && bytes[start + RPORT.length] === 0x3d ? 'R' : 'r'
    default:
      return 'o'
  }
}

function startsWith(text: string, word: string, start: number, end: number): boolean {
  return end - start >= word.length && text.startsWith(word, start)
}

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
