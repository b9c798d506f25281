// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { HeaderName } from './header-name.ts'
import type { SipRequest, SipResponse } from './message.ts'
import { tokenShape } from './token-shape.ts'
import { type MessageShape, type MessageTexts, toolOf } from './tools.ts'
import { addressParameter, quotedEnd } from './uri.ts'

/*
 * A short text made of what a program's code fixes in its messages and its target, the time and random numbers do not.
 * docs/fingerprints.md explains every character of it and why each part is in or out. Two things decided the form:
 *
 * Whatever is random must not show: token-shape.ts says how a random word is described by what does not change in it.
 *
 * Methods share it. Only headers that go with every method are in it, and what a body says comes last, behind the rest.
 */

const VERSION = 's1' // a change of what any message gives needs the next number: people keep these

// Chosen bounds: above what tools send; what lies behind them is not looked at.
const MAX_HEADERS = 64
const MAX_VALUE = 512
const MAX_USER_AGENT = 64
const MAX_MARKED_HEADERS = 12

/** The headers that go with every method, by the letter they have in a fingerprint. */
const LETTERS: ReadonlyMap<HeaderName | null, readonly [letter: string, usual: string]> = new Map([
  ['via', ['v', 'Via']],
  ['max-forwards', ['m', 'Max-Forwards']],
  ['to', ['t', 'To']],
  ['from', ['f', 'From']],
  ['user-agent', ['u', 'User-Agent']],
  ['call-id', ['i', 'Call-ID']],
  ['contact', ['k', 'Contact']],
  ['cseq', ['c', 'CSeq']],
  ['content-length', ['l', 'Content-Length']],
])

export interface Fingerprint {
  /** At most 64 characters of [A-Za-z0-9._-], none of them the sender's own text. */
  readonly fingerprint: string
  /** A name of `TOOL_RULES`, or null when no rule fits. */
  readonly tool: string | null
}

/**
 * What wrote this message, as far as it shows. `body` is its body, one character a byte; the first 512 are enough.
 * Never throws; looks at 64 headers and 512 characters of a value at most. A response tells less, and no tool: most of
 * it is copied from the request.
 */
export function fingerprintOf(message: SipRequest | SipResponse, body: string): Fingerprint {
  const headers = headerShape(message)
  const contact = addressForm(rawValue(message, 'contact'))
  const sdp = sdpShape(body)
  const bodyPart = sdp.shape === '' ? '' : `.${sdp.shape}`
  if (message.kind === 'response') {
    return { fingerprint: `${VERSION}r.${headers}.${contact}${bodyPart}`, tool: null }
  }
  const from = rawValue(message, 'from')
  const via = readVia(rawValue(message, 'via'))
  const texts: MessageTexts = {
    branch: via.branch ?? '',
    tag: addressParameter(from, 'tag') ?? '',
    session: sdp.session,
    userAgent: rawValue(message, 'user-agent').slice(0, MAX_USER_AGENT),
  }
  const shape: MessageShape = {
    headers,
    branch: branchShape(via.branch),
    hop: via.hop,
    from: addressForm(from),
    tag: `${from.includes('; tag=') ? '_' : ''}${tokenShape(texts.tag)}`,
    callId: callIdShape(rawValue(message, 'call-id')),
    cseq: numberClass(rawValue(message, 'cseq')),
    maxForwards: maxForwardsShape(rawValue(message, 'max-forwards')),
    contact,
    sdp: sdp.shape,
  }
  const origin = `${shape.branch}.${shape.hop}.${shape.from}.${shape.tag}.${shape.callId}`
  return {
    fingerprint: `${VERSION}.${headers}.${origin}.${shape.cseq}${shape.maxForwards}.${contact}${bodyPart}`,
    tool: toolOf(shape, texts),
  }
}

/** The raw value of the first header of that name, cut short; the empty string for none. */
function rawValue({ head, names, spans }: SipRequest | SipResponse, name: HeaderName): string {
  const index = names.indexOf(name)
  if (index === -1 || index >= MAX_HEADERS) return ''
  const start = spans[index * 4 + 2] ?? 0
  return head.slice(start, Math.min(spans[index * 4 + 3] ?? start, start + MAX_VALUE))
}

/** The letters of the headers in order, each with marks for an unusual spelling and unusual white space. */
function headerShape({ head, names, spans }: SipRequest | SipResponse): string {
  let shape = ''
  let seen = 0
  const count = Math.min(names.length, MAX_HEADERS)
  for (let index = 0; index < count; index++) {
    const letter = LETTERS.get(names[index] ?? null)
    if (letter === undefined) continue
    const bit = 1 << (letter[0].charCodeAt(0) & 31)
    if ((seen & bit) !== 0) continue // a second Via is another program's
    seen |= bit
    const start = spans[index * 4] ?? 0
    const nameEnd = spans[index * 4 + 1] ?? start
    shape += letter[0]
    if (!(nameEnd - start === letter[1].length && head.startsWith(letter[1], start))) {
      shape += spellingMark(head.slice(start, nameEnd))
    }
    shape += spaceMark(head, nameEnd, spans[index * 4 + 2] ?? nameEnd, letter[0] === 'l')
  }
  if (shape === '') return '-'
  return shape.length <= MAX_MARKED_HEADERS ? shape : `h${hash(shape)}`
}

function spellingMark(name: string): string {
  if (name.length === 1) return '1'
  if (name === name.toLowerCase()) return '2'
  return name === name.toUpperCase() ? '3' : '4'
}

/** Of Content-Length only what stands before the colon: sipp pads the numbers that it fills in and not its own zeros. */
function spaceMark(head: string, nameEnd: number, valueStart: number, beforeOnly: boolean): string {
  if (head.charCodeAt(nameEnd) !== 0x3a) return '-'
  if (beforeOnly || (valueStart === nameEnd + 2 && head.charCodeAt(nameEnd + 1) === 0x20)) return ''
  return valueStart === nameEnd + 1 ? '0' : '_'
}

/** FNV-1a in 32 bits: headers so oddly spelt that their letters would take too much room. */
function hash(text: string): string {
  let sum = 0x811c9dc5
  for (let at = 0; at < text.length; at++) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193)
  return (sum >>> 0).toString(16).padStart(8, '0')
}

/** The topmost hop: whether it names a port, then its first parameters in order; and the branch, or null. */
function readVia(value: string): { readonly hop: string; readonly branch: string | null } {
  const comma = value.indexOf(',')
  const text = comma === -1 ? value : value.slice(0, comma)
  let at = text.indexOf(';')
  const sentBy = at === -1 ? text : text.slice(0, at)
  let hop = sentBy.lastIndexOf(':') > sentBy.lastIndexOf(']') ? 'p' : 'n'
  let branch: string | null = null
  while (at !== -1 && hop.length < 5) {
    const next = text.indexOf(';', at + 1)
    const end = next === -1 ? text.length : next
    let start = at + 1
    while (text.charCodeAt(start) === 0x20) start++
    hop += parameterLetter(text, start)
    if (branch === null && text.startsWith('branch=', start)) branch = text.slice(start + 7, end)
    at = next
  }
  return { hop, branch }
}

function parameterLetter(text: string, start: number): string {
  if (text.startsWith('branch=', start)) return 'b'
  if (text.startsWith('rport', start)) return text.charCodeAt(start + 5) === 0x3d ? 'R' : 'r'
  return text.startsWith('alias', start) ? 'a' : 'o'
}

/** RFC 3261 §8.1.1.7: a branch begins with the magic cookie; what follows it is the tool's own. */
function branchShape(branch: string | null): string {
  if (branch === null) return '-'
  return branch.startsWith('z9hG4bK') ? `z${tokenShape(branch.slice(7))}` : `o${tokenShape(branch)}`
}

function callIdShape(callId: string): string {
  const at = callId.indexOf('@')
  return at === -1 ? tokenShape(callId) : `${tokenShape(callId.slice(0, at))}h`
}

/** How an address is written: in brackets, behind a quoted or bare name with or without a space, or bare. */
function addressForm(value: string): string {
  if (value === '') return '-'
  const first = value.charCodeAt(0)
  if (first === 0x3c) return 'b'
  if (first === 0x22) {
    const end = quotedEnd(value, 0)
    if (end === -1) return 'o'
    return value.charCodeAt(end) === 0x3c ? 'q' : 'Q'
  }
  if (value.startsWith('sip:')) return 'u'
  const bracket = value.indexOf('<')
  if (bracket === -1) return value === '*' ? 's' : 'o'
  return value.charCodeAt(bracket - 1) === 0x20 ? 'T' : 't'
}

/** Small numbers count; large ones were drawn. */
function numberClass(cseq: string): string {
  if (cseq === '') return '-'
  const number = Number.parseInt(cseq, 10)
  if (Number.isNaN(number)) return 'o'
  return number < 100 ? 's' : 'l'
}

function maxForwardsShape(value: string): string {
  if (value === '') return 'n'
  return /^\d{1,3}$/.test(value) ? value : 'o'
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
