// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { allHeaders, header, headerValue, headerValues, type SipRequest, type SipResponse } from './message.ts'
import { answeredPlainVia } from './plain-via.ts'
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

/** The lines that a response has from its request, as a style spells them; the empty string for a header that is not there. */
export interface CopiedLines {
  readonly request: SipRequest
  readonly via: string
  /** For a lean reply. */
  readonly leanVia: () => string
  readonly from: string
  readonly to: string
  /** The line up to where a tag of ours goes; null when it takes none. */
  readonly untagged: string | null
  readonly callId: string
  readonly cseq: string
}

/** A reply of which all is written but what it has from its request. */
export interface ReplyForm {
  /** In bytes. */
  length(copied: CopiedLines, toTag: string | null): number
  write(copied: CopiedLines, toTag: string | null): Buffer
}

/** Writes the responses of one product. */
export interface ReplyWriter {
  copied(request: SipRequest, sourceIp: string, sourcePort: number): CopiedLines
  form(reply: Reply): ReplyForm
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
  const { copied, form } = createReplyWriter(style)
  return form(reply).write(copied(request, end.sourceIp, end.sourcePort), end.toTag)
}

/** What stands between two texts of ours. */
type Hole = 'via' | 'lean via' | 'from' | 'to' | 'call-id' | 'cseq' | 'timestamp'

/**
 * The same for many: what is known of a response before its request, or of a request before its responses, is written
 * once. One line of text is made of a reply, and its bytes at the end: most of the time goes into getting at memory
 * outside V8's, whatever the length.
 */
export function createReplyWriter(style: ReplyStyle): ReplyWriter {
  const places = new Map<string, number>() // of the names of our headers in the order; they are few
  const lowerCased = style.order.map((spelling) => spelling.toLowerCase())
  const spelled = (name: string) => style.order[lowerCased.indexOf(name)] ?? name
  const [via, from, to, callId, cseq] = ['via', 'from', 'to', 'call-id', 'cseq'].map(spelled)
  const contentAt = lowerCased.findIndex((name) => name === 'content-type' || name === 'content-length')

  /** -1 for one that is not named. */
  function placeOf(name: string): number {
    const known = places.get(name)
    if (known !== undefined) return known
    const place = lowerCased.indexOf(name.toLowerCase())
    places.set(name, place)
    return place
  }

  function ownLines(headers: Reply['headers'], place: number): string {
    let lines = ''
    for (const [name, value] of headers) {
      if (placeOf(name) === place) lines += line(style.order[place] ?? name, value)
    }
    return lines
  }

  return {
    copied(request, sourceIp, sourcePort) {
      const vias = headerValues(request, 'via')
      const viaLines = (isLean: boolean) => {
        const plain = vias.length === 1 ? answeredPlainVia(vias[0] ?? '', sourceIp, sourcePort, isLean) : null
        if (plain !== null) return line(via ?? '', plain)
        let lines = ''
        for (const value of answeredVia(vias, sourceIp, sourcePort, isLean)) lines += line(via ?? '', value)
        return lines
      }
      const toValue = headerValue(request, 'to')
      let lean: string | null = null
      return {
        request,
        via: viaLines(false),
        leanVia() {
          lean ??= viaLines(true)
          return lean
        },
        from: line(from ?? '', headerValue(request, 'from')),
        to: line(to ?? '', toValue),
        untagged: toValue === null || hasTag(toValue) ? null : `${to}: ${unbroken(toValue)}`,
        callId: line(callId ?? '', headerValue(request, 'call-id')),
        cseq: line(cseq ?? '', headerValue(request, 'cseq')),
      }
    },
    form(reply) {
      const { status, headers, body, isLean = false } = reply
      const texts: string[] = []
      const holes: Hole[] = []
      let text = `SIP/2.0 ${status} ${reply.reason ?? REASON_PHRASES[status] ?? ''}\r\n`
      const leave = (hole: Hole) => {
        texts.push(text)
        holes.push(hole)
        text = ''
      }
      for (const [place, name] of lowerCased.entries()) {
        if (place === contentAt) {
          if (status === 100) leave('timestamp')
          text += ownLines(headers, -1)
        }
        switch (name) {
          case 'via':
            leave(isLean ? 'lean via' : 'via')
            break
          case 'from':
          case 'to':
          case 'call-id':
          case 'cseq':
            leave(name)
            break
          case 'content-type':
            text += line(style.order[place] ?? '', body?.type ?? null)
            break
          case 'content-length':
            if (!isLean) text += `${style.order[place]}: ${contentLength(body, style)}\r\n`
            break
          default:
            text += ownLines(headers, place)
        }
      }
      return formOf(texts, holes, `${text}\r\n${body?.text ?? ''}`)
    },
  }
}

/** The first text, what is in the first hole, the second text, and so on. */
function formOf(texts: readonly string[], holes: readonly Hole[], last: string): ReplyForm {
  const ownLength = texts.reduce((sum, text) => sum + text.length, last.length)
  return {
    length(copied, toTag) {
      let length = ownLength
      for (const hole of holes) length += filled(hole, copied, toTag).length
      return length
    },
    write(copied, toTag) {
      let text = ''
      for (let index = 0; index < holes.length; index++) {
        text += texts[index]
        text += filled(holes[index] ?? 'via', copied, toTag)
      }
      return Buffer.from(text + last, 'latin1')
    },
  }
}

function filled(hole: Hole, copied: CopiedLines, toTag: string | null): string {
  switch (hole) {
    case 'via':
      return copied.via
    case 'lean via':
      return copied.leanVia()
    case 'from':
      return copied.from
    case 'to':
      return toLine(copied, toTag)
    case 'call-id':
      return copied.callId
    case 'cseq':
      return copied.cseq
    case 'timestamp':
      return line('Timestamp', timestamp(copied.request)) // RFC 3261 §8.2.6.1: a 100 has that of its request
    default:
      return hole satisfies never
  }
}

function toLine({ to, untagged }: CopiedLines, tag: string | null): string {
  return untagged === null || tag === null ? to : `${untagged};tag=${tag}\r\n`
}

/** Most of those that begin something have no parameter at all. */
function hasTag(to: string): boolean {
  return to.includes(';') && addressParameter(to, 'tag') !== null
}

function contentLength(body: Reply['body'], { contentLengthWidth, bodyLengthWidth }: ReplyStyle): string {
  const width = body === null ? contentLengthWidth : (bodyLengthWidth ?? contentLengthWidth)
  return String(body?.text.length ?? 0).padStart(width)
}

function timestamp(request: SipRequest): string | null {
  return allHeaders(request).find(({ name }) => name.toLowerCase() === 'timestamp')?.value ?? null
}

/** A header line, or nothing for a header that is not there or empty. */
function line(name: string, value: string | null): string {
  return value === null || value === '' ? '' : `${name}: ${unbroken(value)}\r\n`
}

/** Some parsers end a line at a bare CR: what stands behind it must not become a header of our answer. */
function unbroken(value: string): string {
  return value.includes('\r') || value.includes('\n') ? value.replace(/[\r\n]/g, ' ') : value
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
