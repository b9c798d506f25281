// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Packet, ReturnPath } from '../net/packet.ts'
import { headerValue, type SipRequest } from '../sip/message.ts'
import { parseVia, viaParameter } from '../sip/via.ts'
import type { KeyedHash } from './keyed-hash.ts'

/*
 * RFC 3261 §17.2.3 knows a retransmission by branch, sent-by and method, and those of older clients by the headers that
 * make a request unique. Here it is the same packet from the same source, to the last byte: scanners use a branch again
 * for the next user or password, and every try is evidence of its own. Who sends two packets that are one by hash, if he
 * can, has hidden one of his own.
 *
 * All are hashes, so that what is kept of a request is short and holds on to nothing of it.
 */

/** How the requests of a node are told apart. Missing headers count as empty. */
export interface RequestIdentities {
  /** Of the packet and where it came from: a retransmission is the same (RFC 3261 §17.1.1.2). */
  ofPacket(packet: Packet): number
  /** Of source, Call-ID, number of CSeq and From-tag: an INVITE, its ACK whatever the branch, and its CANCEL are one. */
  ofCall(path: ReturnPath, request: SipRequest): number
  /** Of the call, the branch and the Request-URI: where an ACK or a CANCEL finds its INVITE (§9.1, §17.1.1.3). */
  ofInvite(call: number, request: SipRequest): number
}

export function createRequestIdentities({ ofBytes, ofText }: KeyedHash): RequestIdentities {
  const ofSource = ({ transport, sourceIp, sourcePort }: ReturnPath) =>
    ofText(sourceIp, sourcePort * TRANSPORTS.length + TRANSPORTS.indexOf(transport))
  return {
    ofPacket: (packet) => ofBytes(packet.bytes, ofSource(packet)),
    ofCall(path, request) {
      const number = ofText(numberOf(textOf(request, 'cseq')), ofSource(path))
      return ofText(tagOf(textOf(request, 'from')), ofText(textOf(request, 'call-id'), number))
    },
    ofInvite: (call, request) => ofText(request.requestUri, ofText(hopOf(request), call)),
  }
}

const TRANSPORTS = ['UDP', 'TCP', 'TLS'] as const

function textOf(request: SipRequest, name: 'call-id' | 'cseq' | 'from'): string {
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

/** The branch as nearly all write it: nothing quoted, and `;branch=` in the first hop. Null when it takes a closer look. */
export function plainBranch(value: string): string | null {
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
