// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { endpointText, type IpAddress } from '../net/ip.ts'
import type { Transport } from '../net/packet.ts'
import { listElements } from '../sip/list.ts'
import { headerValue, headerValues, type SipRequest } from '../sip/message.ts'
import { answerTo } from '../sip/sdp.ts'
import { addressParameter, addressUri, parseUri } from '../sip/uri.ts'
import type { Reply } from '../sip/write.ts'

/** Where we stand in the conversation, as the other side sees it. */
export interface Standpoint {
  readonly transport: Transport
  readonly localIp: IpAddress
  readonly localPort: number
  readonly toTag: string
}

const ALLOWED = [
  'INVITE',
  'ACK',
  'CANCEL',
  'OPTIONS',
  'BYE',
  'REGISTER',
  'SUBSCRIBE',
  'NOTIFY',
  'PUBLISH',
  'INFO',
  'REFER',
  'MESSAGE',
  'PRACK',
  'UPDATE',
]
const ALLOW = ['Allow', ALLOWED.join(', ')] as const
const MAX_EXPIRES_S = 3600 // what RFC 3261 §10.2.1.1 takes for a registration that names none

/**
 * What to answer to a request: the reply in full, then shorter ones for when bytes are scarce. None for ACK, which is
 * never answered (RFC 3261 §17.1.1.3).
 */
export function answersFor(request: SipRequest, body: string, at: Standpoint): readonly Reply[] {
  switch (request.method) {
    case 'ACK':
      return []
    case 'OPTIONS':
      return [ok([ALLOW, ['Accept', 'application/sdp'], ['Supported', 'replaces, timer']]), ok([])] // §11.2
    case 'REGISTER':
      return [ok(bindings(request))]
    case 'INVITE': {
      const dialog = [...recordRoutes(request), contact(request, at)]
      const sdp = { type: 'application/sdp', text: sessionDescription(request, body, at) }
      const busy = { status: 486, headers: [], body: null } // a final response too, and shorter than any request
      return [ok([...dialog, ALLOW, ['Supported', 'replaces, timer']], sdp), ok(dialog, sdp), busy]
    }
    case 'SUBSCRIBE': // RFC 6665 §4.2.1.1: a 200 has Expires
      return [ok([...recordRoutes(request), contact(request, at), ['Expires', String(expiresS(request))]])]
    case 'PUBLISH': // RFC 3903 §11.3: a 200 has SIP-ETag and Expires
      return [
        ok([
          ['SIP-ETag', at.toTag],
          ['Expires', String(expiresS(request))],
        ]),
      ]
    default:
      return ALLOWED.includes(request.method)
        ? [ok([])]
        : [
            { status: 405, headers: [ALLOW], body: null }, // §8.2.1
            { status: 405, headers: [['Allow', 'INVITE, ACK, CANCEL, OPTIONS, BYE, REGISTER']], body: null },
          ]
  }
}

function ok(headers: Reply['headers'], body: Reply['body'] = null): Reply {
  return { status: 200, headers, body }
}

/** RFC 3261 §12.1.1: a response that makes a dialog repeats every Record-Route. */
function recordRoutes(request: SipRequest): (readonly [string, string])[] {
  return headerValues(request, 'record-route').map((value) => ['Record-Route', value] as const)
}

/** Our own address for the dialog. The user is the one called, if it can stand in a URI as it is. */
function contact(request: SipRequest, { transport, localIp, localPort }: Standpoint): readonly [string, string] {
  const user = parseUri(request.requestUri)?.user ?? ''
  const userAt = /^[A-Za-z0-9+*_.-]{1,64}$/.test(user) ? `${user}@` : ''
  const parameter = transport === 'UDP' ? '' : `;transport=${transport.toLowerCase()}`
  return ['Contact', `<sip:${userAt}${endpointText(localIp, localPort)}${parameter}>`]
}

/** RFC 3261 §10.3 step 8: the bindings as they are now, each with the time it has left. */
function bindings(request: SipRequest): (readonly [string, string])[] {
  const headers: (readonly [string, string])[] = []
  for (const element of headerValues(request, 'contact').flatMap(listElements)) {
    const uri = addressUri(element)
    if (uri === null || parseUri(uri) === null) continue // `*`, and what scanners write there
    const own = addressParameter(element, 'expires')
    const seconds = own === null ? expiresS(request) : secondsOf(own)
    if (seconds > 0) headers.push(['Contact', `<${uri.replace(/[<>]/g, '')}>;expires=${seconds}`])
  }
  return headers
}

function expiresS(request: SipRequest): number {
  const value = headerValue(request, 'expires')
  return value === null ? MAX_EXPIRES_S : secondsOf(value)
}

/** RFC 3261 §20.10 and §20.19: a malformed value counts as 3600. */
function secondsOf(value: string): number {
  return /^\d{1,10}$/.test(value) ? Math.min(Number(value), MAX_EXPIRES_S) : MAX_EXPIRES_S
}

/** The answer to the offer; our own offer when there was none, which RFC 3261 §13.3.1.4 then wants in the 200. */
function sessionDescription(request: SipRequest, body: string, { localIp, toTag }: Standpoint): string {
  const number = Number.parseInt(toTag.slice(0, 8), 16)
  const session = { address: localIp, audioPort: 10_000 + (number % 5_000) * 2, sessionId: number }
  const isSdp = /^application\/sdp\b/i.test(headerValue(request, 'content-type') ?? '')
  const offered = isSdp ? answerTo(body, session) : null
  return offered ?? answerTo('m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n', session) ?? ''
}
