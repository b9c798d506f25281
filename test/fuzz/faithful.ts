// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Persona } from '../../src/honeypot/persona.ts'
import { headerValue, headerValues } from '../../src/sip/message.ts'
import { parseMessage } from '../../src/sip/parse.ts'

const STATUS_LINE =
  /^SIP\/2\.0 (?:100 Trying|180 Ringing|183 Session Progress|200 OK|202 Accepted|400 Bad Request|401 Unauthorized|403 Forbidden|404 Not Found|405 Method Not Allowed|407 Proxy Authentication Required|415 Unsupported Media Type|420 Bad Extension|480 [A-Z][\w ]+|481 Call\/Transaction Does Not Exist|486 Busy Here|487 Request Terminated|488 Not Acceptable Here|500 Server Internal Error|501 Not Implemented|505 Version Not Supported)$/

// Ours in every byte, and what has text of the request in it.
const OURS =
  /^(?:Allow|Accept|Accept-Encoding|Accept-Language|Allow-Events|Supported|Expires|SIP-ETag|Refer-Sub|Server|User-Agent|WWW-Authenticate|Proxy-Authenticate|Content-Type|Content-Length): [\x20-\x7e]+$/
const COPIED = /^(?:Via|From|To|Call-ID|CSeq|Contact|Record-Route|Unsupported|Timestamp): [^\r\n]+$/
const BODY = /^(?:[vosctma]=[\x20-\x7e]*\r\n)*$/
const CONTACT = /^<sips?:[\x21-\x7e]+>$/ // the address is ours, and of the request at most the user is in it
const OUR_TAG = /^(?:;tag=[\w.-]+)?$/

type Values = (name: string) => readonly string[]

/**
 * What is wrong with a reply to the request in `bytes`, or null: it has our own lines only, and the request's identity
 * byte for byte (RFC 3261 §8.2.6.2). Null for `bytes`: the answer to a request that came before in other words, of
 * which only branch, sender and method are the same (§17.2.3), so that there is no identity to compare.
 */
export function faultOfReply(reply: string, bytes: Buffer | null, persona: Persona): string | null {
  const headEnd = reply.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = reply.slice(0, headEnd).split('\r\n')
  if (headEnd === -1 || !STATUS_LINE.test(statusLine)) return 'a status line that is not ours'
  if (!lines.every((line) => OURS.test(line) || COPIED.test(line))) return 'a line that is not ours'
  const body = reply.slice(headEnd + 4)
  if (!BODY.test(body)) return 'a body that is not ours'
  const values = (name: string) =>
    lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2))
  if (values(persona.agent[0]).some((agent) => agent !== persona.agent[1])) return 'an agent that is not ours'
  const lengths = values('Content-Length')
  const isMissing = lengths.length === 0 && body === '' // RFC 3261 §20.14: a datagram without a body may leave it out
  if (!isMissing && (lengths.length !== 1 || Number(lengths[0]) !== body.length)) return 'a wrong Content-Length'
  return bytes === null ? null : faultOfIdentity(values, bytes)
}

function faultOfIdentity(values: Values, bytes: Buffer): string | null {
  const parsed = parseMessage(bytes)
  const request = parsed.kind === 'fault' ? parsed.message : parsed
  if (request?.kind !== 'request') return 'what is no request is answered'
  if (request.method === 'ACK') return 'an ACK is answered'
  for (const [name, ours] of [
    ['from', 'From'],
    ['call-id', 'Call-ID'],
    ['cseq', 'CSeq'],
  ] as const) {
    if (values(ours).join('\n') !== copied(headerValue(request, name))) return `another ${ours}`
  }
  const to = copied(headerValue(request, 'to'))
  const [ourTo = '', ...moreTos] = values('To')
  if (!ourTo.startsWith(to) || moreTos.length > 0 || !OUR_TAG.test(ourTo.slice(to.length))) return 'another To'
  const vias = headerValues(request, 'via').filter((value) => value !== '')
  if (values('Via').length !== vias.length) return 'another number of Vias'
  // The bindings of a REGISTER are the caller's own.
  const isOurs = request.method === 'REGISTER' || values('Contact').every((contact) => CONTACT.test(contact))
  return isOurs ? null : 'a Contact that is not ours'
}

/** A bare CR, at which some parsers end a line, is not copied. */
function copied(value: string | null): string {
  return (value ?? '').replaceAll('\r', ' ')
}
