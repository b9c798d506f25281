// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { BadActorEvent, CollectedMethod, EventCredentials, ProofBy } from '../event/event.ts'
import { isPlainText, textOfBytes, textOfLatin1 } from '../event/text.ts'
import type { Packet } from '../net/packet.ts'
import { createFingerprinter } from '../sip/fingerprint.ts'
import { headerValue, type KeepAlive, type ParsedPacket, type SipRequest } from '../sip/message.ts'
import { calledNumber } from '../sip/uri.ts'

const NO_BODY = Buffer.alloc(0)
const NO_FINGERPRINT = { fingerprint: null, tool: null }

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
  const fingerprintOf = createFingerprinter()
  return (packet: Packet, parsed: Exclude<ParsedPacket, KeepAlive>): BadActorEvent => {
    const { bytes, transport } = packet
    const message = parsed.kind === 'fault' ? parsed.message : parsed
    const request = message?.kind === 'request' ? message : null
    const credentials = request === null ? null : captureCredentials(request, bodyOf(packet, request))
    const isStream = transport !== 'UDP' // its handshake has proven more already
    const echoed = request === null || isStream ? null : shownBy(packet, request, credentials?.nonce ?? null)
    const agent = message === null ? null : headerValue(message, 'user-agent')
    const { fingerprint, tool } = message === null ? NO_FINGERPRINT : fingerprintOf(message, bytes)
    const requestUser = request === null ? null : calledNumber(request.requestUri)
    const called = request === null ? null : calledIn(request, requestUser)
    // Nearly every packet is: then all that is cut out of it is text already, and so is what the parser made of it.
    const isPlain = isPlainText(bytes)
    return {
      origin: 'observed',
      eventUuid: newEventUuid(),
      timestamp: timestamp(),
      collectedMethod,
      transport,
      sourceIp: packet.sourceIp,
      sourcePort: packet.sourcePort,
      destinationIp: packet.destinationIp,
      destinationPort: packet.destinationPort,
      method: request === null ? null : isPlain ? request.method : textOfLatin1(request.method),
      calledNumber: called === null ? null : textOfLatin1(called), // escapes are resolved in it: it may be anything
      requestUser: requestUser === null || requestUser === called ? null : textOfLatin1(requestUser),
      userAgent: agent === null || agent === '' ? null : isPlain ? agent : textOfLatin1(agent),
      sipMessage: isPlain && message?.text.length === bytes.length ? message.text : textOfBytes(bytes),
      createdByNodeId: nodeId,
      // A finished TCP or TLS handshake took an answer from the source address; a datagram by itself proves nothing.
      proof: isStream ? 'handshake' : echoed === null ? 'none' : 'echo',
      proofBy: transport === 'TCP' ? 'tcp' : transport === 'TLS' ? 'tls' : echoed,
      credentials,
      fault: faultText(packet, parsed),
      fingerprint,
      tool,
    }
  }
}

/** What was dialled: the user of To, or of the Request-URI when To has none. Some scanners vary only the second. */
function calledIn({ toUri }: SipRequest, requestUser: string | null): string | null {
  return (toUri === null ? null : calledNumber(toUri)) ?? requestUser
}

function bodyOf({ bytes }: Packet, { bodyStart, bodyEnd }: SipRequest): Buffer {
  return bodyStart === bodyEnd ? NO_BODY : bytes.subarray(bodyStart, bodyEnd)
}

function faultText(packet: Packet, parsed: ParsedPacket): string | null {
  if (parsed.kind === 'fault') return `${parsed.code} at byte ${parsed.offset}: ${parsed.detail}`
  return packet.complete ? null : `truncated at byte ${packet.bytes.length}: the stream ended or the body was too long`
}
