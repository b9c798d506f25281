// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { allHeaders, header, headerValue, headerValues, type SipRequest, type SipResponse } from './message.ts'
import { addressParameter } from './uri.ts'
import { answeredVia } from './via.ts'

/** Reason phrases of RFC 3261 §21 for the answers we give; 202 and 489 are of RFC 3265 §7.3. */
const REASON_PHRASES: Readonly<Record<number, string>> = {
  100: 'Trying',
  180: 'Ringing',
  183: 'Session Progress',
  200: 'OK',
  202: 'Accepted',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  415: 'Unsupported Media Type',
  420: 'Bad Extension',
  423: 'Interval Too Brief',
  480: 'Temporarily Unavailable',
  481: 'Call/Transaction Does Not Exist',
  486: 'Busy Here',
  487: 'Request Terminated',
  488: 'Not Acceptable Here',
  489: 'Bad Event',
  491: 'Request Pending',
  500: 'Server Internal Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  505: 'Version Not Supported',
}

export interface Reply {
  readonly status: number
  /** The reason phrase, where it is not the usual one of the status. */
  readonly reason?: string
  /** Names and values are ours or copied byte for byte; those of one name stay in this order. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Null: no body. One character a byte. */
  readonly body: { readonly type: string; readonly text: string } | null
  /**
   * For a datagram whose bytes are counted: without Content-Length, which RFC 3261 §20.14 lets it do, and without the
   * `received` that RFC 3581 §4 wants beside `rport` where the client knows its address already.
   */
  readonly isLean?: boolean
}

/** How a product writes its responses. */
export interface ReplyStyle {
  /**
   * Header names in the order and spelling of a response. It has Via, From, To, Call-ID, CSeq, Content-Type and
   * Content-Length, and any of ours; a header that is not named here goes right before Content-Type or Content-Length,
   * whichever is first.
   */
  readonly order: readonly string[]
  /** Digits that Content-Length is padded to with spaces on the left. */
  readonly contentLengthWidth: number
  /** The same for responses with a body, where a product pads them in another way. */
  readonly bodyLengthWidth?: number
}

/** Where a response goes, and its To-tag. Null for the tag: none is added, as RFC 3261 §8.2.6.2 allows for 100. */
export interface ReplyEnd {
  readonly sourceIp: string
  readonly sourcePort: number
  readonly toTag: string | null
}

const PLAIN: ReplyStyle = {
  order: ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Content-Type', 'Content-Length'],
  contentLengthWidth: 0,
}

/**
 * The bytes of a response (RFC 3261 §8.2.6): Via, From, To, Call-ID and CSeq copied byte for byte as far as they were
 * there, `received` and `rport` filled in from the socket, a To-tag where the request had none. Without a style the
 * copied headers come first, then ours, then the body's.
 */
export function writeReply(request: SipRequest, reply: Reply, end: ReplyEnd, style: ReplyStyle = PLAIN): Buffer {
  let text = `SIP/2.0 ${reply.status} ${reply.reason ?? REASON_PHRASES[reply.status] ?? ''}\r\n`
  let unnamed = true
  for (const spelling of style.order) {
    const name = spelling.toLowerCase()
    if (unnamed && (name === 'content-type' || name === 'content-length')) {
      text += unnamedLines(request, reply, style.order)
      unnamed = false
    }
    if (name === 'content-length') text += reply.isLean ? '' : `${spelling}: ${contentLength(reply, style)}\r\n`
    else if (name === 'content-type') text += line(spelling, reply.body?.type ?? null)
    else text += copiedLines(request, spelling, name, end, reply.isLean ?? false) ?? ownLines(reply, spelling, name)
  }
  return Buffer.from(`${text}\r\n${reply.body?.text ?? ''}`, 'latin1')
}

function contentLength({ body }: Reply, { contentLengthWidth, bodyLengthWidth }: ReplyStyle): string {
  const width = body === null ? contentLengthWidth : (bodyLengthWidth ?? contentLengthWidth)
  return String(body?.text.length ?? 0).padStart(width)
}

/** Null when it is no header that a response has from its request. */
function copiedLines(
  request: SipRequest,
  spelling: string,
  name: string,
  { sourceIp, sourcePort, toTag }: ReplyEnd,
  isLean: boolean,
): string | null {
  switch (name) {
    case 'via': {
      let lines = ''
      for (const value of answeredVia(headerValues(request, 'via'), sourceIp, sourcePort, isLean))
        lines += line(spelling, value)
      return lines
    }
    case 'to':
      return line(spelling, withTag(headerValue(request, 'to'), toTag))
    case 'from':
    case 'call-id':
    case 'cseq':
      return line(spelling, headerValue(request, name))
    default:
      return null
  }
}

/** All of ours with that name, in the style's spelling. */
function ownLines({ headers }: Reply, spelling: string, name: string): string {
  let lines = ''
  for (const [own, value] of headers) if (isNamed(own, spelling, name)) lines += line(spelling, value)
  return lines
}

/** Ours that the order does not name. */
function unnamedLines(request: SipRequest, { status, headers }: Reply, order: readonly string[]): string {
  // RFC 3261 §8.2.6.1: a 100 has the Timestamp of its request.
  let lines = status === 100 ? line('Timestamp', timestamp(request)) : ''
  for (const [own, value] of headers) {
    const name = own.toLowerCase()
    if (!order.some((spelling) => isNamed(spelling, own, name))) lines += line(own, value)
  }
  return lines
}

function timestamp(request: SipRequest): string | null {
  return allHeaders(request).find(({ name }) => name.toLowerCase() === 'timestamp')?.value ?? null
}

/** Most names are equal or differ in length: those are never lower-cased. */
function isNamed(candidate: string, spelling: string, name: string): boolean {
  return candidate === spelling || (candidate.length === name.length && candidate.toLowerCase() === name)
}

/** A header line, or nothing for a header that is not there or empty. */
function line(name: string, value: string | null): string {
  if (value === null || value === '') return ''
  // Some parsers end a line at a bare CR: what stands behind it must not become a header of our answer.
  return `${name}: ${value.replace(/[\r\n]/g, ' ')}\r\n`
}

function withTag(to: string | null, tag: string | null): string | null {
  return to === null || tag === null || addressParameter(to, 'tag') !== null ? to : `${to};tag=${tag}`
}

/**
 * Writes a message from its parts, each header on one line: what `parseMessage` makes of it means the same as the
 * message it was read from.
 */
export function writeMessage(message: SipRequest | SipResponse, body: Buffer): Buffer {
  const startLine =
    message.kind === 'request'
      ? `${message.method} ${message.requestUri} SIP/2.0`
      : `SIP/2.0 ${message.status} ${message.reasonPhrase}`
  const lengthAt = header(message, 'content-length')?.offset
  const lines = allHeaders(message)
    .filter(({ offset }) => offset !== lengthAt)
    .map(({ name, value }) => `${name}: ${value}`)
  const head = [startLine, ...lines, `Content-Length: ${body.length}`, '', ''].join('\r\n')
  return Buffer.concat([Buffer.from(head, 'latin1'), body])
}
