// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Packet } from '../net/packet.ts'
import type { SipRequest } from '../sip/message.ts'
import { isAnswered } from '../sip/transaction.ts'
import { type Aged, createAgedMap } from './aged-map.ts'
import { identityOf, placeOfInvite, type RequestIdentity } from './request-identity.ts'
import { createTransactionRunner, type RunningTransaction } from './run-transaction.ts'
import type { Timers } from './timers.ts'

export type { Timers } from './timers.ts'

const MAX_TRANSACTIONS = 16_384 // chosen: 512 a second for 32 s; 75 MB at worst, with a reply of 2 KiB each
const NO_BYTES = Buffer.alloc(0)
const NOTHING: readonly (() => void)[] = []

export interface TransactionsOptions {
  readonly timers: Timers
  /** When there are as many, the oldest is dropped for a new one. */
  readonly maxTransactions?: number
  /**
   * Sends bytes to where the packet came from; false when they did not go out. `asked`: the answer to a request of
   * `ofRequestBytes` that has come in; `unasked`: our own timer, or a later response to a request answered before. The
   * packet has its bytes only when it is a retransmission that has just come in.
   */
  readonly send: (packet: Packet, bytes: Buffer, why: 'asked' | 'unasked', ofRequestBytes: number) => boolean
  /** Told when a transaction ends how many retransmissions of its request came in; not called for none. */
  readonly onRetransmitted: (eventId: number, retransmissions: number) => void
  /** Told of one that was dropped because there were too many. */
  readonly onDropped: () => void
}

/** The server transaction of one request, until 64*T1 after its final response. */
export interface Transaction {
  /**
   * A response of the core: provisional, 2xx or other final, kept to be sent again when the request comes again. Over
   * UDP a final one to INVITE is also sent again until its ACK, `mayRetransmit` times at most: Infinity for a source
   * that is proven, 1 when not given. False when the state does not allow it (RFC 3261 figures 7 and 8).
   */
  respond(status: number, bytes: Buffer, mayRetransmit?: number): boolean
  /** Whether a final response was given. */
  isAnswered(): boolean
  /** Something else than the ACK has shown that the caller has our 2xx: it is not sent again unasked. */
  acknowledge(): void
  /** The event's row id once it is stored, for the count of retransmissions. */
  storedAs(eventId: number): void
  /** The event was lost, or stored too late for an answer: what comes again shall be a new event. */
  forget(): void
  /** Runs once, when the transaction ends for whatever reason; at once when it has ended. */
  onEnd(run: () => void): void
}

export type Arrival =
  /** A new event. That of an ACK takes no response. */
  | { readonly kind: 'new'; readonly transaction: Transaction }
  /** No event; answered again if there was something to send. */
  | { readonly kind: 'retransmission' }

export interface Transactions {
  arrive(packet: Packet, request: SipRequest): Arrival
  /** The INVITE transaction that a CANCEL names (RFC 3261 §9.2), or null. */
  cancelled(packet: Packet, cancel: SipRequest): Transaction | null
  size(): number
  /** Ends all; no timer is left. */
  stop(): void
}

/** A request that is remembered. An ACK is one too, as a transaction that nobody answers. */
interface Entry extends RunningTransaction, Aged<Entry> {
  readonly identity: RequestIdentity
  /** Null until it is made. */
  transaction: Transaction | null
  retransmissions: number
  eventId: number | null
  hasEnded: boolean
  atEnd: readonly (() => void)[]
}

/**
 * The server transactions of a node: tells retransmissions from new requests, answers them again, and repeats final
 * responses to INVITE until their ACK. Bounded in number, and each in time.
 */
export function createTransactions(options: TransactionsOptions): Transactions {
  const { timers, maxTransactions = MAX_TRANSACTIONS, send, onRetransmitted, onDropped } = options
  const entries = createAgedMap<Entry>() // by place
  const calls = new Map<string, Entry>() // INVITEs that were answered, the last one of each call
  const runner = createTransactionRunner<Entry>({ timers, send, onTerminated: end })

  function makeRoom(): void {
    const oldest = entries.size() >= maxTransactions ? entries.oldest() : null
    if (oldest === null) return
    onDropped()
    end(oldest)
  }

  /** Whatever the branch of the ACK: to a 2xx it is a new one (RFC 3261 §13.2.2.4), and some programs mix it up. */
  function acknowledge(packet: Packet, ack: SipRequest, call: string): void {
    const latest = calls.get(call)
    if (latest !== undefined) runner.acknowledge(entries.get(placeOfInvite(packet, ack)) ?? latest)
  }

  function transactionOf(entry: Entry): Transaction {
    return {
      respond(status, bytes, mayRetransmit = 1) {
        if (entry.hasEnded || entry.method === 'ACK') return false // RFC 3261 §17.1.1.3: an ACK is never answered
        const isTaken = runner.respond(entry, status, bytes, mayRetransmit)
        if (isTaken && entry.method === 'INVITE') calls.set(entry.identity.call, entry)
        return isTaken
      },
      isAnswered: () => entry.state !== null && isAnswered(entry.state),
      acknowledge() {
        if (!entry.hasEnded) runner.acknowledge(entry)
      },
      storedAs(eventId) {
        entry.eventId = eventId
        if (entry.hasEnded) report(entry)
      },
      forget() {
        end(entry)
      },
      onEnd(run) {
        if (entry.hasEnded) run()
        else entry.atEnd = [...entry.atEnd, run]
      },
    }
  }

  function end(entry: Entry): void {
    if (entry.hasEnded) return
    entry.hasEnded = true
    runner.halt(entry)
    entries.delete(entry.identity.place)
    if (entry.method === 'INVITE' && calls.get(entry.identity.call) === entry) calls.delete(entry.identity.call)
    report(entry)
    for (const run of entry.atEnd) run()
  }

  /** An event that is not stored yet has no id: storedAs() reports it then. */
  function report({ eventId, retransmissions }: Entry): void {
    if (eventId !== null && retransmissions > 0) onRetransmitted(eventId, retransmissions)
  }

  return {
    arrive(packet, request) {
      const isAck = request.method === 'ACK'
      const identity = identityOf(packet, request)
      if (isAck) acknowledge(packet, request, identity.call)
      const known = entries.get(identity.place)
      if (known?.identity.rest === identity.rest) {
        known.retransmissions++
        runner.comeAgain(known, packet)
        return { kind: 'retransmission' }
      }
      if (known !== undefined) end(known)
      makeRoom()
      const entry = entryOf(packet, request.method, identity)
      entries.add(identity.place, entry)
      runner.begin(entry)
      const transaction = transactionOf(entry)
      entry.transaction = transaction
      return { kind: 'new', transaction }
    },
    cancelled: (packet, cancel) => entries.get(placeOfInvite(packet, cancel))?.transaction ?? null,
    size: () => entries.size(),
    stop() {
      for (let oldest = entries.oldest(); oldest !== null; oldest = entries.oldest()) end(oldest)
      runner.stop()
    },
  }
}

function entryOf(packet: Packet, method: string, identity: RequestIdentity): Entry {
  return {
    identity,
    method,
    packet: withoutBytes(packet),
    requestBytes: packet.bytes.length,
    state: null,
    response: null,
    endsWith: null,
    cancelRepeat: null,
    transaction: null,
    retransmissions: 0,
    eventId: null,
    hasEnded: false,
    atEnd: NOTHING,
    older: null,
    newer: null,
  }
}

function withoutBytes(packet: Packet): Packet {
  const { transport, sourceIp, sourcePort, destinationIp, destinationPort, complete, reply, done } = packet
  return { transport, sourceIp, sourcePort, destinationIp, destinationPort, bytes: NO_BYTES, complete, reply, done }
}
