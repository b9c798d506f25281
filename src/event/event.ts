// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { IpAddress } from '../net/ip.ts'
import type { Transport } from '../net/packet.ts'

/** How sure we are that the source address is not forged. */
export type Proof = 'none' | 'echo' | 'handshake'

/** The levels from weakest to strongest; an aggregate keeps the index of the best one seen. */
export const PROOF_LEVELS: readonly Proof[] = ['none', 'echo', 'handshake']

/** What showed that the source takes what is sent to it: a tag, nonce or Contact of ours that came back, or a handshake. */
export type ProofBy = 'to-tag' | 'nonce' | 'contact' | 'tcp' | 'tls'

/** `passive`: we only listened. `responsive`: the node answers SIP probes. */
export type CollectedMethod = 'passive' | 'responsive'

/** What the digest answer in an Authorization or Proxy-Authorization header held (RFC 3261 §22). */
export interface EventCredentials {
  readonly user: string
  readonly realm: string
  readonly nonce: string
  readonly response: string
  readonly algorithm: string
  /** The password that gives this response, where it is one of the weak ones that we try; else null. */
  readonly password: string | null
}

/** One SIP message seen from a bad actor. Null means that the message did not have it. */
export interface BadActorEvent {
  /** Seen by this node itself. (Other origins arrive with peer-to-peer.) */
  readonly origin: 'observed'
  /** UUIDv7 (RFC 9562 §5.7), so ids sort by time. */
  readonly eventUuid: string
  /** `YYYY-MM-DD HH:MM:SS.nnnnnnnnn`, UTC. */
  readonly timestamp: string
  readonly collectedMethod: CollectedMethod
  readonly transport: Transport
  readonly sourceIp: IpAddress
  readonly sourcePort: number
  readonly destinationIp: IpAddress
  readonly destinationPort: number
  readonly method: string | null
  readonly calledNumber: string | null
  /** The user of the Request-URI where it differs from `calledNumber`: the same call, dialled another way. */
  readonly requestUser: string | null
  readonly userAgent: string | null
  /** The message as received; bytes that are not UTF-8 are kept as `textOfBytes` says. */
  readonly sipMessage: string
  readonly createdByNodeId: string
  readonly proof: Proof
  /** What showed it; null where nothing did. */
  readonly proofBy: ProofBy | null
  readonly credentials: EventCredentials | null
  /** Why the message could not be read as SIP, as `code at byte N`; null for a sound one. */
  readonly fault: string | null
  /** What the sender's program fixes in its messages, as docs/fingerprints.md explains; null for what is not SIP. */
  readonly fingerprint: string | null
  /** The program that is known to write so, or null. */
  readonly tool: string | null
}

/** What stands in rows, logs and answers for a method, number or agent that was not there. */
export const NOT_FOUND = 'NOT_FOUND'

/**
 * What became of an event. `stored`: committed just now. `late`: it waits for the store or is committed, and is answered
 * no more. `dropped`: counted, and no row.
 */
export type Outcome = 'stored' | 'late' | 'dropped'

/**
 * Told what became of an event, and the honeyId of its row; null when it has none, or none yet. For one that waits for
 * the store still, `cameAgain` takes how often its message came again so far, for the row that it will have.
 */
export type OnSettled = (outcome: Outcome, honeyId: number | null, cameAgain?: (count: number) => void) => void
