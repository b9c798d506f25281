// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { trimLws } from '../sip/lws.ts'
import { headerValue, type SipRequest } from '../sip/message.ts'
import { remoteAudio } from '../sip/sdp.ts'

/** What the body of an INVITE or UPDATE is to us. */
export type Offer =
  /** None: the answer has our own (RFC 3261 §13.3.1.4). */
  | { readonly kind: 'none' }
  | { readonly kind: 'offer'; readonly text: string }
  /** 415: no session description (RFC 3261 §8.2.3). 488: none that we could accept (§13.3.1.3). */
  | { readonly kind: 'fault'; readonly status: 415 | 488 }

/** Reads the body of a request; one character a byte. Line breaks alone are no body. */
export function offerIn(request: SipRequest, body: string): Offer {
  if (/^[\r\n]*$/.test(body)) return { kind: 'none' }
  const type = headerValue(request, 'content-type') ?? ''
  const semicolon = type.indexOf(';')
  const name = trimLws(semicolon === -1 ? type : type.slice(0, semicolon))
  if (name.toLowerCase() !== 'application/sdp') return { kind: 'fault', status: 415 }
  return remoteAudio(body) === null ? { kind: 'fault', status: 488 } : { kind: 'offer', text: body }
}
