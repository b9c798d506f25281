// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { allHeaders, header, headerValue, headerValues, type SipRequest, type SipResponse } from './message.ts'
import { addressParameter } from './uri.ts'
import { answeredVia } from './via.ts'

/** Reason phrases of RFC 3261 §21 for the answers we give. */
const REASON_PHRASES: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  405: 'Method Not Allowed',
  486: 'Busy Here',
  505: 'Version Not Supported',
}

export interface Reply {
  readonly status: number
  /** Behind the copied headers, in this order; names and values are ours or copied byte for byte. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Null: no body. One character a byte. */
  readonly body: { readonly type: string; readonly text: string } | null
}

/**
 * The bytes of a response (RFC 3261 §8.2.6): Via, From, To, Call-ID and CSeq copied byte for byte as far as they were
 * there, `received` and `rport` filled in from the socket, a To-tag where the request had none.
 */
export function writeReply(
  request: SipRequest,
  reply: Reply,
  { sourceIp, sourcePort, toTag }: { sourceIp: string; sourcePort: number; toTag: string },
): Buffer {
  let text = `SIP/2.0 ${reply.status} ${REASON_PHRASES[reply.status] ?? ''}\r\n`
  for (const value of answeredVia(headerValues(request, 'via'), sourceIp, sourcePort)) text += line('Via', value)
  const to = headerValue(request, 'to')
  text += line('From', headerValue(request, 'from'))
  text += line('To', to === null ? null : withTag(to, toTag))
  text += line('Call-ID', headerValue(request, 'call-id'))
  text += line('CSeq', headerValue(request, 'cseq'))
  for (const [name, value] of reply.headers) text += line(name, value)
  if (reply.body !== null) text += line('Content-Type', reply.body.type)
  text += `Content-Length: ${reply.body?.text.length ?? 0}\r\n\r\n${reply.body?.text ?? ''}`
  return Buffer.from(text, 'latin1')
}

/** A header line, or nothing for a header that is not there or empty. */
function line(name: string, value: string | null): string {
  if (value === null || value === '') return ''
  // Some parsers end a line at a bare CR: what stands behind it must not become a header of our answer.
  return `${name}: ${value.replace(/[\r\n]/g, ' ')}\r\n`
}

function withTag(to: string, tag: string): string {
  return addressParameter(to, 'tag') === null ? `${to};tag=${tag}` : to
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
