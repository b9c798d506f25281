// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { hash } from 'node:crypto'
import type { Packet } from '../net/packet.ts'
import { headerValue, type SipRequest } from '../sip/message.ts'
import { parseVia, viaParameter } from '../sip/via.ts'

/*
 * RFC 3261 §17.2.3 knows a retransmission by branch, sent-by and method, and those of older clients by the headers that
 * make a request unique. Here one comparison does for both, of more than the RFC asks for: scanners use a branch again
 * for the next user or password, and every try is evidence of its own.
 *
 * Each text is written out by join(). A concatenation would hold on to its pieces, and each piece to the whole header
 * block that it was cut from.
 */

const MAX_TEXT = 512 // chosen: a common request has up to 200 characters in each, and at worst 16,384 hold 25 MB

/** What tells a request from others, in three texts of bounded length. */
export interface RequestIdentity {
  /** Source, Call-ID, number of CSeq and From-tag: an INVITE, its ACK whatever the branch, and its CANCEL have the same. */
  readonly call: string
  /** The same, and method, branch and Request-URI: the place of a transaction. */
  readonly place: string
  /** A hash of the whole message: a retransmission is the same to the last byte (RFC 3261 §17.1.1.2). */
  readonly rest: string
}

/** The identity of a request. Missing headers count as empty. Linear in the length of the headers. */
export function identityOf(packet: Packet, request: SipRequest): RequestIdentity {
  const call = callText(packet, request)
  return {
    call: bounded(call),
    place: bounded(placeText(call, request, request.method)),
    rest: hash('sha256', packet.bytes, 'base64'),
  }
}

/** The place of the INVITE that an ACK or a CANCEL with the same branch is for (RFC 3261 §9.1, §17.1.1.3). */
export function placeOfInvite(packet: Packet, request: SipRequest): string {
  return bounded(placeText(callText(packet, request), request, 'INVITE'))
}

// No header value, no method and no Request-URI holds a line feed, so two requests never make the same text.

function callText({ transport, sourceIp, sourcePort }: Packet, request: SipRequest): string {
  const number = numberOf(textOf(request, 'cseq'))
  const tag = tagOf(textOf(request, 'from'))
  return [transport, sourceIp, String(sourcePort), number, textOf(request, 'call-id'), tag].join('\n')
}

function placeText(call: string, request: SipRequest, method: string): string {
  return [call, method, hopOf(request), request.requestUri].join('\n')
}

/** A digest has no line feed, so it equals no text that was short enough. */
function bounded(text: string): string {
  return text.length > MAX_TEXT ? hash('sha256', text, 'base64url') : text
}

function textOf(request: SipRequest, name: 'call-id' | 'cseq' | 'from' | 'to'): string {
  return headerValue(request, name) ?? ''
}

function numberOf(cseq: string): string {
  const space = cseq.search(/[ \t]/)
  return space === -1 ? cseq : cseq.slice(0, space)
}

/** Any part of From would do that INVITE and ACK share and other calls do not, so this need not be exact. */
function tagOf(from: string): string {
  const at = from.lastIndexOf(';tag=')
  if (at === -1) return ''
  const end = from.indexOf(';', at + 1)
  return from.slice(at + 5, end === -1 ? from.length : end)
}

/** The branch of the topmost Via; all of that hop for clients that know none (RFC 2543). */
function hopOf(request: SipRequest): string {
  const value = headerValue(request, 'via') ?? ''
  return plainBranch(value) ?? exactHop(value)
}

/** What nearly all have: nothing quoted, and `;branch=` in the first hop. Null when it takes a closer look. */
function plainBranch(value: string): string | null {
  const at = value.indexOf(';branch=')
  if (at === -1 || value.includes('"')) return null
  const comma = value.indexOf(',')
  if (comma !== -1 && comma < at) return null
  const start = at + ';branch='.length
  let end = start
  while (end < value.length && !isDelimiter(value.charCodeAt(end))) end++
  return end === start ? null : value.slice(start, end)
}

function exactHop(value: string): string {
  const via = parseVia(value)
  if (via === null) return value
  const branch = viaParameter(via, 'branch') ?? ''
  return branch === '' ? [via.protocol, via.sentBy, ...via.parameters].join(';') : branch
}

/** Semicolon, comma, space or tab. */
function isDelimiter(code: number): boolean {
  return code === 0x3b || code === 0x2c || code === 0x20 || code === 0x09
}
