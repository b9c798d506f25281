// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { HEADER_NUMBERS, type HeaderName } from './header-name.ts'
import type { SipRequest, SipResponse } from './message.ts'
import { writeTokenShape } from './token-shape.ts'
import { type Candidates, candidatesFor, type MessageShape, toolOf } from './tools.ts'
import { addressParameterAt, indexIn, quotedEnd } from './uri.ts'

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

/** The headers that go with every method, by the letter they have in a fingerprint. */
const LETTERS: readonly (readonly [number: number, letter: string])[] = (
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
).map(([name, letter]) => [HEADER_NUMBERS[name], letter])

export interface Fingerprint {
  /** At most 64 characters of [A-Za-z0-9._-], none of them the sender's own text. */
  readonly fingerprint: string
  /** A name of `TOOL_RULES`, or null when no rule fits. */
  readonly tool: string | null
}

type Message = SipRequest | SipResponse

/**
 * Makes the function that says what wrote a message, as far as it shows. `body` is the message's, one character a byte;
 * the first 512 are enough. Never throws; looks at 64 headers and 512 characters of a value at most. A response tells
 * less, and no tool: most of it is copied from the request.
 */
export function createFingerprinter(): (message: Message, body: string) => Fingerprint {
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

  return (message, body) => {
    const { text } = message
    const sdp = sdpShape(body)
    const contact = contactForm(message)
    if (message.kind === 'response') {
      let at = writeHeaders(room, write(room, 0, `${VERSION}r.`), order, message)
      at = writeBody(room, write(room, write(room, at, '.'), contact), sdp.shape)
      return { fingerprint: room.toString('latin1', 0, at), tool: null }
    }

    const fromStart = valueStart(message, FROM)
    const fromEnd = valueEnd(message, FROM)
    const tag = addressParameterAt(text, fromStart, fromEnd, 'tag') ?? ''
    const via = readVia(text, valueStart(message, VIA), valueEnd(message, VIA), hop)

    let at = writeHeaders(room, write(room, 0, `${VERSION}.`), order, message)
    at = writeBranch(room, write(room, at, '.'), text, via.branchStart, via.branchEnd)
    at = write(room, at, '.')
    for (let index = 0; index < via.hopLength; index++) room[at++] = hop[index] ?? 0
    at = write(room, write(room, at, '.'), addressForm(text, fromStart, fromEnd))
    at = write(room, at, hasSpacedTag(text, fromStart, fromEnd) ? '._' : '.')
    at = writeTokenShape(room, at, tag, 0, tag.length)
    at = writeCallId(room, write(room, at, '.'), text, valueStart(message, CALL_ID), valueEnd(message, CALL_ID))
    at = write(room, write(room, at, '.'), numberClass(text, valueStart(message, CSEQ), valueEnd(message, CSEQ)))
    at = writeMaxForwards(room, at, text, valueStart(message, MAX_FORWARDS), valueEnd(message, MAX_FORWARDS))
    at = writeBody(room, write(room, write(room, at, '.'), contact), sdp.shape)

    const { fingerprint, candidates } = shapeOf(room.toString('latin1', 0, at))
    if (candidates.rules.length === 0 && candidates.otherwise !== null) {
      return { fingerprint, tool: candidates.otherwise }
    }
    const agentStart = valueStart(message, USER_AGENT)
    const agentEnd = Math.min(valueEnd(message, USER_AGENT), agentStart + MAX_USER_AGENT)
    const branch = via.branchStart === -1 ? '' : text.slice(via.branchStart, via.branchEnd)
    const texts = { branch, tag, session: sdp.session, userAgent: text.slice(agentStart, agentEnd) }
    return { fingerprint, tool: toolOf(candidates, texts) }
  }
}

interface KnownShape {
  readonly fingerprint: string
  readonly candidates: Candidates
}

const {
  via: VIA,
  from: FROM,
  contact: CONTACT,
  'call-id': CALL_ID,
  cseq: CSEQ,
  'max-forwards': MAX_FORWARDS,
  'user-agent': USER_AGENT,
} = HEADER_NUMBERS

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
  const [cseq, maxForwards] = [numbers.slice(0, 1), numbers.slice(1)]
  return { headers, branch, hop, from, tag, callId, cseq, maxForwards, contact, sdp }
}

/** Writes ASCII; returns the place behind it. */
function write(room: Uint8Array, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) room[at + index] = text.charCodeAt(index)
  return at + text.length
}

/** Where the first header of that number has its value, as received; the start of the text for none. */
function valueStart({ firsts, spans }: Message, number: number): number {
  const index = firsts[number] ?? -1
  return index === -1 || index >= MAX_HEADERS ? 0 : (spans[index * 4 + 2] ?? 0)
}

/** Where it ends, or is cut; the start of the text for none. */
function valueEnd({ firsts, spans }: Message, number: number): number {
  const index = firsts[number] ?? -1
  if (index === -1 || index >= MAX_HEADERS) return 0
  return Math.min(spans[index * 4 + 3] ?? 0, (spans[index * 4 + 2] ?? 0) + MAX_VALUE)
}

/**
 * Writes the letters of the headers in order, each with marks for an unusual spelling and unusual white space. `order`
 * is all zero, and is left so: by place of a header, one more than its letter's place in LETTERS.
 */
function writeHeaders(room: Uint8Array, start: number, order: Uint8Array, message: Message): number {
  const { text, firsts, spans, oddNames } = message
  let count = 0
  for (let letter = 0; letter < LETTERS.length; letter++) {
    const index = firsts[LETTERS[letter]?.[0] ?? 0] ?? -1 // the first: a second Via is another program's
    if (index === -1 || index >= MAX_HEADERS) continue
    order[index] = letter + 1
    if (index >= count) count = index + 1
  }
  let at = start
  for (let index = 0; index < count; index++) {
    const found = LETTERS[(order[index] ?? 0) - 1]
    order[index] = 0
    if (found === undefined) continue
    const [number, letter] = found
    const nameEnd = spans[index * 4 + 1] ?? 0
    at = write(room, at, letter)
    if ((oddNames & (1 << number)) !== 0) at = write(room, at, spellingMark(text.slice(spans[index * 4], nameEnd)))
    at = write(room, at, spaceMark(text, nameEnd, spans[index * 4 + 2] ?? 0, letter === 'l'))
  }
  if (at === start) return write(room, start, '-')
  return at - start <= MAX_MARKED_HEADERS ? at : write(room, start, `h${hash(room, start, at)}`)
}

function spellingMark(name: string): string {
  if (name.length === 1) return '1'
  if (name === name.toLowerCase()) return '2'
  return name === name.toUpperCase() ? '3' : '4'
}

/** Of Content-Length only what stands before the colon: sipp pads the numbers that it fills in and not its own zeros. */
function spaceMark(text: string, nameEnd: number, value: number, beforeOnly: boolean): string {
  if (text.charCodeAt(nameEnd) !== 0x3a) return '-'
  if (beforeOnly || (value === nameEnd + 2 && text.charCodeAt(nameEnd + 1) === 0x20)) return ''
  return value === nameEnd + 1 ? '0' : '_'
}

/** FNV-1a in 32 bits: headers so oddly spelt that their letters would take too much room. */
function hash(bytes: Uint8Array, start: number, end: number): string {
  let sum = 0x811c9dc5
  for (let at = start; at < end; at++) sum = Math.imul(sum ^ (bytes[at] ?? 0), 0x01000193)
  return (sum >>> 0).toString(16).padStart(8, '0')
}

/** The topmost hop: where its branch is, or -1; `hop` takes whether it names a port, then its first parameters in order. */
function readVia(text: string, start: number, stop: number, hop: Uint8Array) {
  const comma = indexIn(text, ',', start, stop)
  const end = comma === -1 ? stop : comma
  let at = indexIn(text, ';', start, end)
  hop[0] = (hasPort(text, start, at === -1 ? end : at) ? 'p' : 'n').charCodeAt(0)
  let hopLength = 1
  let branchStart = -1
  let branchEnd = -1
  while (at !== -1 && hopLength < hop.length) {
    const next = indexIn(text, ';', at + 1, end)
    const parameterEnd = next === -1 ? end : next
    let name = at + 1
    while (name < end && text.charCodeAt(name) === 0x20) name++
    const letter = parameterLetter(text, name, end)
    hop[hopLength++] = letter.charCodeAt(0)
    if (letter === 'b' && branchStart === -1) {
      branchStart = name + BRANCH.length
      branchEnd = parameterEnd
    }
    at = next
  }
  return { hopLength, branchStart, branchEnd }
}

/** Whether a colon stands behind the last bracket of a sent-by. */
function hasPort(text: string, start: number, end: number): boolean {
  for (let at = end - 1; at >= start; at--) {
    const code = text.charCodeAt(at)
    if (code === 0x3a) return true
    if (code === 0x5d) return false
  }
  return false
}

const BRANCH = 'branch='
const RPORT = 'rport'
const ALIAS = 'alias'
const COOKIE = 'z9hG4bK' // RFC 3261 §8.1.1.7: a branch begins with it; what follows it is the tool's own

function parameterLetter(text: string, start: number, end: number): string {
  if (startsWith(text, BRANCH, start, end)) return 'b'
  if (startsWith(text, ALIAS, start, end)) return 'a'
  if (!startsWith(text, RPORT, start, end)) return 'o'
  const behind = start + RPORT.length
  return behind < end && text.charCodeAt(behind) === 0x3d ? 'R' : 'r'
}

function startsWith(text: string, word: string, start: number, end: number): boolean {
  return end - start >= word.length && text.startsWith(word, start)
}

function writeBranch(room: Uint8Array, at: number, text: string, start: number, end: number): number {
  if (start === -1) return write(room, at, '-')
  return startsWith(text, COOKIE, start, end)
    ? writeTokenShape(room, write(room, at, 'z'), text, start + COOKIE.length, end)
    : writeTokenShape(room, write(room, at, 'o'), text, start, end)
}

function writeCallId(room: Uint8Array, at: number, text: string, start: number, end: number): number {
  const host = indexIn(text, '@', start, end)
  return host === -1
    ? writeTokenShape(room, at, text, start, end)
    : write(room, writeTokenShape(room, at, text, start, host), 'h')
}

function contactForm(message: Message): string {
  return addressForm(message.text, valueStart(message, CONTACT), valueEnd(message, CONTACT))
}

/** How an address is written: in brackets, behind a quoted or bare name with or without a space, or bare. */
function addressForm(text: string, start: number, end: number): string {
  if (start === end) return '-'
  const first = text.charCodeAt(start)
  if (first === 0x3c) return 'b'
  if (first === 0x22) {
    const behind = quotedEnd(text, start, end)
    if (behind === -1) return 'o'
    return behind < end && text.charCodeAt(behind) === 0x3c ? 'q' : 'Q'
  }
  if (startsWith(text, 'sip:', start, end)) return 'u'
  const bracket = indexIn(text, '<', start, end)
  if (bracket === -1) return end - start === 1 && first === 0x2a ? 's' : 'o'
  return text.charCodeAt(bracket - 1) === 0x20 ? 'T' : 't'
}

/** Whether `; tag=` stands in it, with that one space. */
function hasSpacedTag(text: string, start: number, end: number): boolean {
  for (let at = indexIn(text, ';', start, end); at !== -1; at = indexIn(text, ';', at + 1, end)) {
    if (startsWith(text, '; tag=', at, end)) return true
  }
  return false
}

/** Small numbers count; large ones were drawn. */
function numberClass(text: string, start: number, end: number): string {
  if (start === end) return '-'
  const first = text.charCodeAt(start)
  const isShort = isDigit(first) && !isDigit(text.charCodeAt(start + 2)) // two digits at most, as in nearly all
  if (isShort) return 's'
  const number = Number.parseInt(text.slice(start, end), 10)
  if (Number.isNaN(number)) return 'o'
  return number < 100 ? 's' : 'l'
}

function writeMaxForwards(room: Uint8Array, at: number, text: string, start: number, end: number): number {
  if (start === end) return write(room, at, 'n')
  if (end - start > 3) return write(room, at, 'o')
  for (let index = start; index < end; index++) {
    const code = text.charCodeAt(index)
    if (!isDigit(code)) return write(room, at, 'o')
    room[at + index - start] = code
  }
  return at + end - start
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

function writeBody(room: Uint8Array, at: number, shape: string): number {
  return shape === '' ? at : write(room, write(room, at, '.'), shape)
}

/** Who the origin of a session description is, whether its numbers are one, and what the session is called. */
function sdpShape(body: string): { readonly shape: string; readonly session: string } {
  if (body === '') return { shape: '', session: '' }
  const text = body.slice(0, MAX_VALUE)
  const origin = sdpLine(text, 'o=')
  const session = sdpLine(text, 's=')
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
