// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { BadActorEvent, CollectedMethod, EventCredentials, ProofBy } from '../event/event.ts'
import { textOfBytes, textOfLatin1 } from '../event/text.ts'
import type { Packet } from '../net/packet.ts'
import { fingerprintOf } from '../sip/fingerprint.ts'
import { headerValue, type KeepAlive, type ParsedPacket, type SipRequest, type SipResponse } from '../sip/message.ts'
import { addressUri, calledNumber } from '../sip/uri.ts'

const FINGERPRINTED_BODY_BYTES = 512 // what SDP says of its program is in its first lines

const NO_BODY = Buffer.alloc(0)

export interface ObserverOptions {
  readonly nodeId: string
  readonly collectedMethod: CollectedMethod
  readonly newEventUuid: () => string
  /** The time now, as rows have it. */
  readonly timestamp: () => string
  /** What in a request only a reply of ours can have told its sender. */
  readonly shownBy: (packet: Packet, request: SipRequest, nonce: string | null) => ProofBy | null
  readonly captureCredentials: (request: SipRequest, body: Buffer) => EventCredentials | null
}

/** Makes the function that turns a packet and what was read of it into an event; every packet is evidence. */
export function createObserver(options: ObserverOptions) {
  const { nodeId, collectedMethod, newEventUuid, timestamp, shownBy, captureCredentials } = options
  return (packet: Packet, parsed: Exclude<ParsedPacket, KeepAlive>): BadActorEvent => {
    const message = parsed.kind === 'fault' ? parsed.message : parsed
    const request = message?.kind === 'request' ? message : null
    const body = request === null ? NO_BODY : packet.bytes.subarray(request.bodyStart, request.bodyEnd)
    const credentials = request === null ? null : captureCredentials(request, body)
    const isStream = packet.transport !== 'UDP' // its handshake has proven more already
    const echoed = request === null || isStream ? null : shownBy(packet, request, credentials?.nonce ?? null)
    const agent = message === null ? null : headerValue(message, 'user-agent')
    return {
      origin: 'observed',
      eventUuid: newEventUuid(),
      timestamp: timestamp(),
      collectedMethod,
      transport: packet.transport,
      sourceIp: packet.sourceIp,
      sourcePort: packet.sourcePort,
      destinationIp: packet.destinationIp,
      destinationPort: packet.destinationPort,
      method: request === null ? null : textOfLatin1(request.method),
      ...dialled(request),
      userAgent: agent === null || agent === '' ? null : textOfLatin1(agent),
      sipMessage: textOfBytes(packet.bytes),
      createdByNodeId: nodeId,
      ...proof(packet, echoed),
      credentials,
      fault: faultText(packet, parsed),
      ...fingerprint(packet, message),
    }
  }
}

/**
 * What was dialled: the user of To, or of the Request-URI when To has none. Where the two differ the Request-URI's is
 * kept beside it: some scanners vary only that one.
 */
function dialled(request: SipRequest | null): Pick<BadActorEvent, 'calledNumber' | 'requestUser'> {
  if (request === null) return { calledNumber: null, requestUser: null }
  const to = headerValue(request, 'to')
  const toUri = to === null ? null : addressUri(to)
  const toUser = toUri === null ? null : calledNumber(toUri)
  const requestUser = calledNumber(request.requestUri)
  const called = toUser ?? requestUser
  return {
    calledNumber: called === null ? null : textOfLatin1(called),
    requestUser: requestUser === null || requestUser === called ? null : textOfLatin1(requestUser),
  }
}

/** A finished TCP or TLS handshake took an answer from the source address; a datagram by itself proves nothing. */
function proof({ transport }: Packet, echoed: ProofBy | null): Pick<BadActorEvent, 'proof' | 'proofBy'> {
  if (transport !== 'UDP') return { proof: 'handshake', proofBy: transport === 'TCP' ? 'tcp' : 'tls' }
  return { proof: echoed === null ? 'none' : 'echo', proofBy: echoed }
}

/** How the message is written, which tells the program that wrote it; what names the sender is not in it. */
function fingerprint(
  packet: Packet,
  message: SipRequest | SipResponse | null,
): Pick<BadActorEvent, 'fingerprint' | 'tool'> {
  if (message === null) return { fingerprint: null, tool: null }
  const bodyEnd = Math.min(message.bodyEnd, message.bodyStart + FINGERPRINTED_BODY_BYTES)
  return fingerprintOf(message, packet.bytes.toString('latin1', message.bodyStart, bodyEnd))
}

function faultText(packet: Packet, parsed: ParsedPacket): string | null {
  if (parsed.kind === 'fault') return `${parsed.code} at byte ${parsed.offset}: ${parsed.detail}`
  return packet.complete ? null : `truncated at byte ${packet.bytes.length}: the stream ended or the body was too long`
}
