// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { lineEnd, type ReadHeaders, readHeaders } from './header-block.ts'
import { HEADER_NUMBERS } from './header-name.ts'
import { lwsEnd, lwsStart } from './lws.ts'
import {
  type FaultCode,
  type HeaderBlock,
  type OtherProtocol,
  type ParsedPacket,
  type SipFault,
  type SipRequest,
  type SipResponse,
  valuePlace,
} from './message.ts'
import { addressUriAt } from './uri.ts'
import { isVia } from './via.ts'

/*
 * One pass over the bytes finds the lines and where each header's name and value are; nothing is copied until it is
 * asked for, and nothing is looked at twice in a way that depends on the input. So the cost is linear whatever comes,
 * and a packet that is not SIP costs less than one that is.
 *
 * Nearly every request is plain in its first line and its headers, and what is plain is seen without a regular
 * expression; whatever is not takes the closer look that names its fault.
 *
 * The parser is tolerant: it is there to keep evidence. A message is sound when a reply could be built from it and
 * means one thing only; everything else is a fault that carries what could be read.
 */

const MAX_CSEQ = 2 ** 31 - 1 // RFC 3261 §8.1.1.5
const MAX_CSEQ_DIGITS = 10 // of that number
const REQUIRED = ['via', 'from', 'to', 'call-id', 'cseq'] as const // RFC 3261 §8.1.1, less Max-Forwards: many leave it out
const SINGLE = ['from', 'to', 'call-id', 'cseq', 'content-length'] as const // RFC 3261 §7.3: not a list, so at most once

const {
  via: VIA,
  from: FROM,
  to: TO,
  'call-id': CALL_ID,
  cseq: CSEQ,
  'content-length': CONTENT_LENGTH,
} = HEADER_NUMBERS
const SINGLE_BITS = SINGLE.reduce((bits, name) => bits | (1 << HEADER_NUMBERS[name]), 0)

// Chosen: above what anything sends over UDP without fragments. The text of a longer packet ends with its headers, so
// that a body is neither copied for nothing nor kept for as long as a value of a header is.
const MAX_WHOLE_BYTES = 4_096

// Chosen: above any real one. A longer line takes the closer look, where regular expressions are the faster ones.
const MAX_PLAIN_LINE = 512

/** A message while it is read. */
type Draft<Message extends SipRequest | SipResponse> = { -readonly [Key in keyof Message]: Message[Key] }

/** Reads one datagram, or one message that a framer cut out of a stream. Never throws; linear in `bytes.length`. */
export function parseMessage(bytes: Buffer): ParsedPacket {
  if (isKeepAlive(bytes)) return { kind: 'keep-alive' }
  const start = leadingLineBreaks(bytes)
  const text = bytes.length <= MAX_WHOLE_BYTES ? bytes.toString('latin1') : headText(bytes, start)
  const lineFeed = text.indexOf('\n', start)
  const end = lineFeed === -1 ? text.length : lineEnd(bytes, lineFeed)
  const headersStart = lineFeed === -1 ? text.length : lineFeed + 1
  const methodEnd = plainMethodEnd(bytes, start, end)
  if (methodEnd === -1) return readClosely(bytes, text, start, end, headersStart)

  const block = readHeaders(bytes, text, headersStart)
  const requestUri = text.slice(methodEnd + 1, end - VERSION.length)
  const request = requestOf(text.slice(start, methodEnd), requestUri, block, bytes.length)
  return headerFault(request, block.badLineAt, bytes.length) ?? request
}

/** What does not begin with a plain request line: a response, another protocol, or a request with a fault in it. */
function readClosely(bytes: Buffer, text: string, start: number, end: number, headersStart: number): ParsedPacket {
  const startLine = text.slice(start, end)
  const looksLike = startLine.length > 0 ? otherProtocol(bytes, start, startLine) : 'binary'
  if (looksLike !== null) return notSip(start, looksLike)
  const block = readHeaders(bytes, text, headersStart)
  const message = readStartLine(startLine, block, bytes.length)
  if (message === null) {
    return fault('bad-start-line', start, 'neither a request line nor a status line', null)
  }
  return startLineFault(message, startLine, start) ?? headerFault(message, block.badLineAt, bytes.length) ?? message
}

/** RFC 3261 §7.5 and RFC 5626 §3.5.1; some phones send zero bytes instead. */
function isKeepAlive(bytes: Buffer): boolean {
  if (bytes.length === 0) return true
  const first = bytes[0]
  if (first === 0) return bytes.length <= 4 && bytes.every((byte) => byte === 0)
  return (first === 0x0d || first === 0x0a) && leadingLineBreaks(bytes) === bytes.length
}

/** RFC 3261 §7.5: line breaks before the start line are ignored. */
function leadingLineBreaks(bytes: Buffer): number {
  let at = 0
  while (at < bytes.length && (bytes[at] === 0x0d || bytes[at] === 0x0a)) at++
  return at
}

/** One character a byte, up to the first empty line; all of it when there is none. */
function headText(bytes: Buffer, start: number): string {
  const end = bytes.indexOf('\r\n\r\n', start, 'latin1')
  return bytes.toString('latin1', 0, end === -1 ? bytes.length : end + 4)
}

const VERSION = Buffer.from(' SIP/2.0', 'latin1')
const VERSION_IN_SMALL_LETTERS = Buffer.from(' sip/2.0', 'latin1')

// RFC 3261 §25.1: what a token may hold.
const IS_TOKEN = Uint8Array.from({ length: 256 }, (_, code) =>
  /[A-Za-z0-9.!%*_+`'~-]/.test(String.fromCharCode(code)) ? 1 : 0,
)

/**
 * Where the method of `METHOD SP Request-URI SP SIP/2.0` ends (RFC 3261 §7.1: single spaces only, the version in any
 * case), if that is what the line is to the letter; -1 for what takes a closer look.
 */
function plainMethodEnd(bytes: Uint8Array, start: number, end: number): number {
  const uriEnd = end - VERSION.length
  if (uriEnd <= start || uriEnd - start > MAX_PLAIN_LINE || !isVersion(bytes, uriEnd)) return -1
  let methodEnd = start
  while (IS_TOKEN[bytes[methodEnd] ?? 0] === 1) methodEnd++
  const uriStart = methodEnd + 1
  if (methodEnd === start || bytes[methodEnd] !== 0x20 || uriStart >= uriEnd || bytes[uriStart] === 0x3c) return -1
  for (let at = uriStart; at < uriEnd; at++) {
    const byte = bytes[at] ?? 0
    if (byte <= 0x20 || byte === 0x7f) return -1
  }
  return methodEnd
}

function isVersion(bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < VERSION.length; index++) {
    const byte = bytes[start + index]
    if (byte !== VERSION[index] && byte !== VERSION_IN_SMALL_LETTERS[index]) return false
  }
  return true
}

/** Null when it may be SIP. */
function otherProtocol(bytes: Buffer, start: number, startLine: string): OtherProtocol | null {
  if (isStatusLine(startLine) || / SIP\/\S*[ \t]*$/i.test(startLine.slice(-64))) return null
  if (bytes[start] === 0x16 && bytes[start + 1] === 0x03) return 'tls' // a handshake record, RFC 8446 §5.1
  if (startLine.startsWith('SSH-')) return 'ssh'
  if (startLine.startsWith('HTTP/') || / HTTP\/\d/.test(startLine.slice(-16))) return 'http'
  if (startLine.startsWith('RTSP/') || / RTSP\/\d/.test(startLine.slice(-16))) return 'rtsp'
  return /[^\t\x20-\x7e]/.test(startLine.slice(0, 256)) ? 'binary' : 'text'
}

/** RFC 3261 §7.1: the version is compared without case. */
function isStatusLine(line: string): boolean {
  return /^SIP\//i.test(line)
}

function notSip(offset: number, looksLike: OtherProtocol): SipFault {
  return { kind: 'fault', code: 'not-sip', offset, detail: `looks like ${looksLike}`, status: 400, message: null }
}

function readStartLine(line: string, block: ReadHeaders, length: number): SipRequest | SipResponse | null {
  if (isStatusLine(line)) {
    // Nothing may follow what takes the rest: a pattern that can fail there would try every way to share the spaces.
    const match = /^SIP\/\d+\.\d+ +([1-9]\d{2})(?: (.*))?$/is.exec(line)
    return match === null ? null : responseOf(Number(match[1]), match[2] ?? '', block, length)
  }
  const space = line.indexOf(' ')
  const lastSpace = line.lastIndexOf(' ', lwsStart(line, 0, line.length) - 1) // it ends in a version, or is not SIP
  if (space <= 0) return null
  return requestOf(line.slice(0, space), lastSpace > space ? line.slice(space + 1, lastSpace) : '', block, length)
}

function requestOf(method: string, requestUri: string, block: ReadHeaders, bodyEnd: number): SipRequest {
  const { text, head, spans, names, firsts, oddNames, repeated, isFolded, bodyStart } = block
  const toUri = uriOf(block, TO)
  return {
    kind: 'request',
    method,
    requestUri,
    toUri,
    text,
    head,
    spans,
    names,
    firsts,
    oddNames,
    repeated,
    isFolded,
    bodyStart,
    bodyEnd,
  }
}

function responseOf(status: number, reasonPhrase: string, block: ReadHeaders, bodyEnd: number): SipResponse {
  const { text, head, spans, names, firsts, oddNames, repeated, isFolded, bodyStart } = block
  const toUri = uriOf(block, TO)
  return {
    kind: 'response',
    status,
    reasonPhrase,
    toUri,
    text,
    head,
    spans,
    names,
    firsts,
    oddNames,
    repeated,
    isFolded,
    bodyStart,
    bodyEnd,
  }
}

/** The URI in an address; null when the header is not there or its quoting never ends. */
function uriOf(block: HeaderBlock, number: number): string | null {
  const index = block.firsts[number] ?? -1
  if (index === -1) return null
  const { text, start, end } = valuePlace(block, index)
  return addressUriAt(text, start, end)
}

function fault(
  code: FaultCode,
  offset: number,
  detail: string,
  message: SipRequest | SipResponse | null,
  status: 400 | 505 = 400,
): SipFault {
  return { kind: 'fault', code, offset, detail, status, message }
}

function startLineFault(message: SipRequest | SipResponse, startLine: string, start: number): SipFault | null {
  if (message.kind === 'response') return null
  const version = / SIP\/(\S*)[ \t]*$/i.exec(startLine.slice(-64))?.[1]
  if (version !== '2.0') {
    // RFC 3261 §21.5.6 has the answer to another version.
    return fault('bad-version', start, 'the version is not SIP/2.0', message, 505)
  }
  // RFC 3261 §7.1: single spaces only, no white space in the URI (RFC 4475 §3.1.2.8 and §3.1.2.9).
  if (!/^[A-Za-z0-9.!%*_+`'~-]+ [^\x00-\x20\x7f]+ SIP\/2\.0$/i.test(startLine)) {
    return fault('bad-start-line', start, 'the request line is not METHOD SP Request-URI SP SIP/2.0', message)
  }
  if (message.requestUri.startsWith('<')) {
    return fault('bad-start-line', start, 'the Request-URI stands in angle brackets', message) // RFC 4475 §3.1.2.7
  }
  return null
}

/** The first reason why these headers cannot be taken at their word, or null; shortens the body to Content-Length. */
function headerFault(message: SipRequest | SipResponse, badLineAt: number, length: number): SipFault | null {
  if (badLineAt !== -1) return fault('bad-header', badLineAt, 'a line has no colon', message)
  if ((message.repeated & SINGLE_BITS) !== 0) return duplicateFault(message)
  if (!(hasValue(message, VIA) && hasValue(message, FROM) && hasValue(message, TO))) return missingFault(message)
  if (!(hasValue(message, CALL_ID) && hasValue(message, CSEQ))) return missingFault(message)
  return cseqFault(message) ?? addressFault(message) ?? viaFault(message) ?? contentLengthFault(message, length)
}

function duplicateFault(message: SipRequest | SipResponse): SipFault | null {
  const name = SINGLE.find((single) => (message.repeated & (1 << HEADER_NUMBERS[single])) !== 0)
  if (name === undefined) return null
  const again = message.names.indexOf(name, message.names.indexOf(name) + 1)
  return fault('duplicate-header', message.spans[again * 4] ?? 0, `${name} comes twice`, message)
}

function missingFault(message: SipRequest | SipResponse): SipFault | null {
  const name = REQUIRED.find((required) => !hasValue(message, HEADER_NUMBERS[required]))
  return name === undefined ? null : fault('missing-header', message.head.length, `there is no ${name}`, message)
}

/** `CSeq: 4711 INVITE`, with the method of the request (RFC 3261 §8.1.1.5). */
function cseqFault(message: SipRequest | SipResponse): SipFault | null {
  const { text, start, end } = valuePlace(message, message.firsts[CSEQ] ?? 0)
  const digitsEnd = behindDigits(text, start, Math.min(end, start + MAX_CSEQ_DIGITS + 1))
  const methodStart = lwsEnd(text, digitsEnd, end)
  const isNumber = digitsEnd > start && digitsEnd - start <= MAX_CSEQ_DIGITS
  if (isNumber && methodStart > digitsEnd && decimal(text, start, digitsEnd) <= MAX_CSEQ) {
    if (message.kind === 'request' && isSame(text, methodStart, end, message.method)) return null
    if (methodStart < end && !/[ \t]/.test(text.slice(methodStart, end))) {
      if (message.kind === 'response') return null
      return fault('bad-cseq', offsetOf(message, CSEQ), 'CSeq names another method', message)
    }
  }
  return fault('bad-cseq', offsetOf(message, CSEQ), 'CSeq is not NUMBER METHOD', message)
}

function isSame(text: string, start: number, end: number, expected: string): boolean {
  return end - start === expected.length && text.startsWith(expected, start)
}

function addressFault(message: SipRequest | SipResponse): SipFault | null {
  const name = uriOf(message, FROM) === null ? 'from' : message.toUri === null ? 'to' : null
  if (name === null) return null
  const offset = offsetOf(message, HEADER_NUMBERS[name])
  return fault('bad-address', offset, `a quoted string or bracket in ${name} never ends`, message)
}

function viaFault(message: SipRequest | SipResponse): SipFault | null {
  const { text, start, end } = valuePlace(message, message.firsts[VIA] ?? 0)
  if (isVia(text, start, end)) return null
  return fault('bad-via', offsetOf(message, VIA), 'the topmost Via is not SIP/2.0/TRANSPORT sent-by', message)
}

/** RFC 3261 §18.3: too short a datagram is an error; bytes behind the body are not part of it. */
function contentLengthFault(message: Draft<SipRequest | SipResponse>, length: number): SipFault | null {
  const index = message.firsts[CONTENT_LENGTH] ?? -1
  if (index === -1) return null
  const { text, start, end } = valuePlace(message, index)
  if (start === end || end - start > 9 || behindDigits(text, start, end) !== end) {
    return fault('bad-content-length', offsetOf(message, CONTENT_LENGTH), 'Content-Length is not a number', message)
  }
  const bodyEnd = message.bodyStart + decimal(text, start, end)
  if (bodyEnd > length) {
    const detail = 'the body is shorter than Content-Length'
    return fault('bad-content-length', offsetOf(message, CONTENT_LENGTH), detail, message)
  }
  message.bodyEnd = bodyEnd
  return null
}

function behindDigits(text: string, start: number, end: number): number {
  let at = start
  while (at < end && isDigit(text.charCodeAt(at))) at++
  return at
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

/** The number that these digits are. */
function decimal(text: string, start: number, end: number): number {
  let number = 0
  for (let at = start; at < end; at++) number = number * 10 + text.charCodeAt(at) - 0x30
  return number
}

/** Where the first header of that number begins. */
function offsetOf({ firsts, spans }: HeaderBlock, number: number): number {
  return spans[(firsts[number] ?? 0) * 4] ?? 0
}

/** Whether a reply finds its way: by Via to the sender, by Call-ID and CSeq to the sender's transaction. */
export function isAnswerable(request: SipRequest): boolean {
  return hasValue(request, VIA) && hasValue(request, CALL_ID) && hasValue(request, CSEQ)
}

/** An empty header is as good as none: the grammar of each that is asked for here wants something in it. */
function hasValue({ firsts, spans }: HeaderBlock, number: number): boolean {
  const index = firsts[number] ?? -1
  return index !== -1 && spans[index * 4 + 2] !== spans[index * 4 + 3]
}
