// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { lineEnd, type ReadHeaders, readHeaders } from './header-block.ts'
import type { HeaderName } from './header-name.ts'
import { lwsStart } from './lws.ts'
import {
  type FaultCode,
  type HeaderBlock,
  header,
  headerValue,
  type OtherProtocol,
  type ParsedPacket,
  type SipFault,
  type SipRequest,
  type SipResponse,
} from './message.ts'
import { addressUri } from './uri.ts'
import { parseVia } from './via.ts'

/*
 * One pass over the bytes finds the lines and where each header's name and value are; nothing is copied until it is
 * asked for, and nothing is looked at twice in a way that depends on the input. So the cost is linear whatever comes,
 * and a packet that is not SIP costs less than one that is.
 *
 * The parser is tolerant: it is there to keep evidence. A message is sound when a reply could be built from it and
 * means one thing only; everything else is a fault that carries what could be read.
 */

const MAX_CSEQ = 2 ** 31 - 1 // RFC 3261 §8.1.1.5
const REQUIRED = ['via', 'from', 'to', 'call-id', 'cseq'] as const // RFC 3261 §8.1.1, less Max-Forwards: many leave it out
const SINGLE = ['from', 'to', 'call-id', 'cseq', 'content-length'] as const // RFC 3261 §7.3: not a list, so at most once

/** Reads one datagram, or one message that a framer cut out of a stream. Never throws; linear in `bytes.length`. */
export function parseMessage(bytes: Buffer): ParsedPacket {
  if (isKeepAlive(bytes)) return { kind: 'keep-alive' }
  const start = leadingLineBreaks(bytes)
  const head = headText(bytes, start)
  const lineFeed = head.indexOf('\n', start)
  const startLine = head.slice(start, lineFeed === -1 ? head.length : lineEnd(head, lineFeed))
  const looksLike = startLine.length > 0 ? otherProtocol(bytes, start, startLine) : 'binary'
  if (looksLike !== null) return notSip(start, looksLike)

  const block = readHeaders(head, lineFeed === -1 ? head.length : lineFeed + 1)
  const message = readStartLine(startLine, block, bytes.length)
  if (message === null) {
    return fault('bad-start-line', start, 'neither a request line nor a status line', null)
  }
  return firstFault(message, block.badLineAt, startLine, start, bytes.length) ?? message
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
  const { head, spans, names, bodyStart } = block
  const body = { bodyStart, bodyEnd: length }
  if (isStatusLine(line)) {
    // Nothing may follow what takes the rest: a pattern that can fail there would try every way to share the spaces.
    const match = /^SIP\/\d+\.\d+ +([1-9]\d{2})(?: (.*))?$/is.exec(line)
    return match === null
      ? null
      : { kind: 'response', status: Number(match[1]), reasonPhrase: match[2] ?? '', head, spans, names, ...body }
  }
  const space = line.indexOf(' ')
  const lastSpace = line.lastIndexOf(' ', lwsStart(line, 0, line.length) - 1) // it ends in a version, or is not SIP
  if (space <= 0) return null
  const requestUri = lastSpace > space ? line.slice(space + 1, lastSpace) : ''
  return { kind: 'request', method: line.slice(0, space), requestUri, head, spans, names, ...body }
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

/** The first reason why this message cannot be taken at its word, or null; shortens its body to Content-Length. */
function firstFault(
  message: SipRequest | SipResponse,
  badLineAt: number,
  startLine: string,
  start: number,
  length: number,
): SipFault | null {
  if (message.kind === 'request') {
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
  }
  if (badLineAt !== -1) return fault('bad-header', badLineAt, 'a line has no colon', message)
  for (const name of SINGLE) {
    const index = message.names.indexOf(name)
    const again = index === -1 ? -1 : message.names.indexOf(name, index + 1)
    if (again !== -1) return fault('duplicate-header', message.spans[again * 4] ?? 0, `${name} comes twice`, message)
  }
  for (const name of REQUIRED) {
    if (!hasValue(message, name)) {
      return fault('missing-header', message.head.length, `there is no ${name}`, message)
    }
  }
  return cseqFault(message) ?? addressFault(message) ?? viaFault(message) ?? contentLengthFault(message, length)
}

/** `CSeq: 4711 INVITE`, with the method of the request (RFC 3261 §8.1.1.5). */
function cseqFault(message: SipRequest | SipResponse): SipFault | null {
  const cseq = header(message, 'cseq')
  const match = /^(\d{1,10})[ \t]+([^ \t]+)$/.exec(cseq?.value ?? '')
  const offset = cseq?.offset ?? 0
  if (match === null || Number(match[1]) > MAX_CSEQ)
    return fault('bad-cseq', offset, 'CSeq is not NUMBER METHOD', message)
  if (message.kind === 'request' && match[2] !== message.method) {
    return fault('bad-cseq', offset, 'CSeq names another method', message)
  }
  return null
}

function addressFault(message: SipRequest | SipResponse): SipFault | null {
  for (const name of ['from', 'to'] as const) {
    const address = header(message, name)
    if (address !== null && addressUri(address.value) === null) {
      return fault('bad-address', address.offset, `a quoted string or bracket in ${name} never ends`, message)
    }
  }
  return null
}

function viaFault(message: SipRequest | SipResponse): SipFault | null {
  const via = header(message, 'via')
  if (via === null || parseVia(via.value) !== null) return null
  return fault('bad-via', via.offset, 'the topmost Via is not SIP/2.0/TRANSPORT sent-by', message)
}

/** RFC 3261 §18.3: too short a datagram is an error; bytes behind the body are not part of it. */
function contentLengthFault(message: SipRequest | SipResponse, length: number): SipFault | null {
  const value = headerValue(message, 'content-length')
  if (value === null) return null
  const offset = header(message, 'content-length')?.offset ?? 0
  if (!/^\d{1,9}$/.test(value)) return fault('bad-content-length', offset, 'Content-Length is not a number', message)
  const bodyEnd = message.bodyStart + Number(value)
  if (bodyEnd > length) return fault('bad-content-length', offset, 'the body is shorter than Content-Length', message)
  Object.assign(message, { bodyEnd })
  return null
}

/** Whether a reply finds its way: by Via to the sender, by Call-ID and CSeq to the sender's transaction. */
export function isAnswerable(request: SipRequest): boolean {
  return (['via', 'call-id', 'cseq'] as const).every((name) => hasValue(request, name))
}

/** An empty header is as good as none: the grammar of each that is asked for here wants something in it. */
function hasValue({ names, spans }: HeaderBlock, name: HeaderName): boolean {
  const index = names.indexOf(name)
  return index !== -1 && spans[index * 4 + 2] !== spans[index * 4 + 3]
}
