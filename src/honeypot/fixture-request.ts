// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { hash } from 'node:crypto'
import type { Packet } from '../net/packet.ts'
import type { TestPbx } from './fixture-pbx.ts'

/** What a request of the tests has; whatever is not said is that of a scanner. */
export interface RequestParts {
  readonly uri?: string
  readonly branch?: string
  readonly fromTag?: string
  /** The user of From; that of To is the one of the Request-URI. */
  readonly fromUser?: string
  readonly toUser?: string
  readonly toTag?: string | null
  readonly callId?: string
  readonly cseq?: number
  /** Whole header lines. */
  readonly lines?: readonly string[]
  /** Null for no body. */
  readonly body?: string | null
}

/** An offer of the tests' usual source. */
export const OFFER = offerAt('192.0.2.1')

/** A request to 203.0.113.5 with a body that is SDP unless a Content-Type among the lines says else. */
export function request(method: string, parts: RequestParts = {}): string {
  const { uri = 'sip:00046500729221@203.0.113.5', branch = `z9hG4bK${method}`, fromTag = '1', fromUser = '100' } = parts
  const { toTag = null, callId = 'x', cseq = 1, lines = [], body = null } = parts
  const { toUser = /^sip:([^@]*)@/.exec(uri)?.[1] ?? '100' } = parts
  const type = lines.some((line) => line.startsWith('Content-Type:')) ? [] : ['Content-Type: application/sdp']
  return [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/UDP 192.0.2.1:5071;branch=${branch};rport`,
    'Max-Forwards: 70',
    `From: <sip:${fromUser}@203.0.113.5>;tag=${fromTag}`,
    `To: <sip:${toUser}@203.0.113.5>${toTag === null ? '' : `;tag=${toTag}`}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} ${method}`,
    ...lines,
    ...(body === null ? [] : type),
    `Content-Length: ${body?.length ?? 0}`,
    '',
    body ?? '',
  ].join('\r\n')
}

/** The offer of a telephone that wants its audio at this address. */
export function offerAt(address: string, audio = 'm=audio 30000 RTP/AVP 8 0', more = ''): string {
  return `v=0\r\no=- 1 1 IN IP4 ${address}\r\ns=-\r\nc=IN IP4 ${address}\r\nt=0 0\r\n${audio}\r\n${more}`
}

export function statusOf(reply: string | undefined): number | null {
  return reply === undefined ? null : Number(/^SIP\/2\.0 (\d{3}) /.exec(reply)?.[1])
}

/** The value of the first header of that name, written as a persona does; null when there is none. */
export function headerOf(reply: string | undefined, name: string): string | null {
  const line = reply?.split('\r\n').find((header) => header.startsWith(`${name}: `))
  return line === undefined ? null : line.slice(name.length + 2)
}

/** The tag behind the last parameter of To; null when there is none. */
export function toTagOf(reply: string | undefined): string | null {
  return /;tag=([^;]*)$/.exec(headerOf(reply, 'To') ?? '')?.[1] ?? null
}

export function bodyOf(reply: string | undefined): string {
  return reply?.slice(reply.indexOf('\r\n\r\n') + 4) ?? ''
}

/** An Authorization line that answers the challenge of a 401 or 407 as RFC 2069 does. */
export function authorization(
  { challenge, nonce = nonceOf(challenge) }: { challenge?: string | undefined; nonce?: string | null },
  { user = '100', password = 'secret', method = 'REGISTER', uri = 'sip:203.0.113.5', name = 'Authorization' } = {},
): string {
  const realm = /realm="([^"]*)"/.exec(challenge ?? '')?.[1] ?? ''
  const md5 = (text: string) => hash('md5', text)
  const response = md5(`${md5(`${user}:${realm}:${password}`)}:${nonce}:${md5(`${method}:${uri}`)}`)
  return `${name}: Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}"`
}

export function nonceOf(challenge: string | undefined): string | null {
  return /nonce="([^"]*)"/.exec(challenge ?? '')?.[1] ?? null
}

/** Lets a source show that it is there, by the ACK to a refused INVITE. */
export function prove(pbx: TestPbx, from: Partial<Packet> = {}): void {
  const call = { uri: 'sip:9@203.0.113.5', branch: 'z9hG4bKproof', callId: 'proof' }
  const [refusal] = pbx.receive(request('INVITE', call), from).replies
  pbx.receive(request('ACK', { ...call, toTag: toTagOf(refusal) }), from)
}
