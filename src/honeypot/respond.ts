// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { hash } from 'node:crypto'
import type { IpAddress } from '../net/ip.ts'
import type { Packet } from '../net/packet.ts'
import { headerValue, type KeepAlive, type ParsedPacket, type SipRequest } from '../sip/message.ts'
import { isAnswerable } from '../sip/parse.ts'
import { type Reply, writeReply } from '../sip/write.ts'
import { answersFor, type Standpoint } from './answer.ts'
import type { ReplyBudget, Verdict } from './budget.ts'

/** Services that answer anything: a forged packet from there would start a loop or a flood. */
const REFLECTING_PORTS = new Set([0, 7, 19, 53, 123, 161, 1900, 11211])

// What a long reply leaves of a source's bytes while there is a shorter one: enough for ten bare answers that are some
// bytes longer than their request.
const KEPT_FOR_SHORT_BYTES = 200

export interface ResponderOptions {
  /** Known to this node only; makes the To-tags. */
  readonly secret: string
  readonly budget: ReplyBudget
  /** Is this address and port one of our own SIP sockets? */
  readonly isOwnSocket: (address: IpAddress, port: number) => boolean
  /** Told of every reply that was not made, for the counters. */
  readonly onSuppressed: (why: Exclude<Verdict, 'send'> | 'forbidden-source') => void
}

/**
 * Makes the function that builds the one reply to a packet, or null for silence: responses, ACK, what is not SIP, and
 * requests without the headers that bring a reply home are never answered. The reply is stateless (RFC 3261 §8.2.7),
 * and charged to the source at once: it is for sending now.
 */
export function createResponder({ secret, budget, isOwnSocket, onSuppressed }: ResponderOptions) {
  return (packet: Packet, parsed: Exclude<ParsedPacket, KeepAlive>): Buffer | null => {
    const request = parsed.kind === 'fault' ? parsed.message : parsed
    if (request === null || request.kind !== 'request' || request.method === 'ACK' || !isAnswerable(request))
      return null
    if (isForbidden(packet)) {
      onSuppressed('forbidden-source')
      return null
    }
    const toTag = tagFor(request, packet, secret)
    const at: Standpoint = { ...localEnd(packet), toTag }
    const replies =
      parsed.kind === 'fault'
        ? [{ status: parsed.status, headers: [], body: null }]
        : answersFor(request, bodyText(packet, request), at)
    return affordable(packet, request, replies, toTag)
  }

  /** The first of the replies, longest first, that this source may be sent. */
  function affordable(packet: Packet, request: SipRequest, replies: readonly Reply[], toTag: string): Buffer | null {
    let verdict: Verdict = 'send'
    for (const [index, reply] of replies.entries()) {
      const { sourceIp, sourcePort } = packet
      const bytes = writeReply(request, reply, { sourceIp, sourcePort, toTag })
      // A handshake proves the source, and a stream pushes back by itself.
      if (packet.transport !== 'UDP') return bytes
      const kept = index < replies.length - 1 ? KEPT_FOR_SHORT_BYTES : 0
      verdict = budget.charge(sourceIp, packet.bytes.length, bytes.length, kept)
      if (verdict === 'send') return bytes
    }
    if (verdict !== 'send') onSuppressed(verdict)
    return null
  }

  function isForbidden({ transport, sourceIp, sourcePort }: Packet): boolean {
    if (transport !== 'UDP') return false
    return REFLECTING_PORTS.has(sourcePort) || isNoHost(sourceIp) || isOwnSocket(sourceIp, sourcePort)
  }
}

/** Multicast, broadcast and "this network": nobody's own address, so only a forger sends from there. */
function isNoHost(address: IpAddress): boolean {
  return /^(?:0|22[4-9]|23\d|24\d|25[0-5])\.|^ff[0-9a-f]{2}:|^::$/.test(address)
}

/** The same for a retransmission of the request, different for everything else (RFC 3261 §8.2.7, §19.3). */
function tagFor(request: SipRequest, { sourceIp, sourcePort }: Packet, secret: string): string {
  const callId = headerValue(request, 'call-id') ?? ''
  const from = headerValue(request, 'from') ?? ''
  return hash('sha256', `${secret}\n${sourceIp}\n${sourcePort}\n${callId}\n${from}`, 'hex').slice(0, 24)
}

function bodyText({ bytes }: Packet, { bodyStart, bodyEnd }: SipRequest): string {
  return bytes.toString('latin1', bodyStart, bodyEnd)
}

function localEnd({ transport, destinationIp, destinationPort }: Packet) {
  return { transport, localIp: destinationIp, localPort: destinationPort }
}
