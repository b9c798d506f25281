// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { randomBytes } from 'node:crypto'
import type { IpAddress } from '../net/ip.ts'
import { type Packet, type ReturnPath, returnPath } from '../net/packet.ts'
import type { SipRequest } from '../sip/message.ts'
import { isAnswered, type TransactionState } from '../sip/transaction.ts'
import type { Keeper } from './kept-bytes.ts'
import { createKeyedHash, upperHalf } from './keyed-hash.ts'
import { createRememberedTable, type Linked } from './remembered-table.ts'
import { createRequestIdentities } from './request-identity.ts'
import { createTransactionRunner, type RunningTransaction } from './run-transaction.ts'
import type { Batch, Timers } from './timers.ts'

export type { Timers } from './timers.ts'

const MAX_TRANSACTIONS = 16_384 // chosen: 512 a second for 32 s; measured 0.5 KB each and its reply, 75 MB with the longest reply
const MOST_FREE = 1_024 // chosen: 300 KB; in a flood one ends whenever one begins
const NOTHING: readonly (() => void)[] = []

export interface TransactionsOptions {
  readonly timers: Timers
  /** When there are as many, the oldest is dropped for a new one. */
  readonly maxTransactions?: number
  /** False on a passive node: then it is enough to know a retransmission. */
  readonly isAnswering?: boolean
  /**
   * Sends bytes to where a packet came from; false when they did not go out. `asked`: the answer to a request of
   * `ofRequestBytes` that has come in; `unasked`: our own timer, or a later response to a request answered before.
   */
  readonly send: (path: ReturnPath, bytes: Buffer, why: 'asked' | 'unasked', ofRequestBytes: number) => boolean
  /** Told when a transaction ends how many retransmissions of its request came in; not called for none. */
  readonly onRetransmitted: (eventId: number, retransmissions: number) => void
  /** Told of one that was dropped because there were too many. */
  readonly onDropped: () => void
}

/** The server transaction of one request, until 64*T1 after its final response. */
export interface Transaction {
  /** Where its request came from. */
  readonly path: ReturnPath
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
  /**
   * The event was lost, or is too late for an answer: what comes again shall be a new event. Gives how many
   * retransmissions nobody is told of, since the event has no row.
   */
  forget(): number
  /** Runs once, when the transaction ends for whatever reason; at once when it has ended. */
  onEnd(run: () => void): void
  /** Whoever it was given to needs it no more, and calls nothing of it again. */
  release(): void
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

/**
 * The server transactions of a node: tells retransmissions from new requests, answers them again, and repeats final
 * responses to INVITE until their ACK. Bounded in number, and each in time.
 */
export function createTransactions(options: TransactionsOptions): Transactions {
  const { timers, maxTransactions = MAX_TRANSACTIONS, isAnswering = true, send, onRetransmitted, onDropped } = options
  const identities = createRequestIdentities(createKeyedHash(new Int32Array(Uint8Array.from(randomBytes(16)).buffer)))
  const remembered = createRememberedTable<Remembered>(maxTransactions) // by packet
  const invites = new Map<number, Remembered>() // by branch, the last of each
  const calls = new Map<number, Remembered>() // INVITEs that were answered, the last one of each call
  const runner = createTransactionRunner<Remembered>({ timers, send, onTerminated: end })
  const free: Remembered[] = []

  function makeRoom(): void {
    const oldest = remembered.size() >= maxTransactions ? remembered.oldest() : null
    if (oldest === null) return
    onDropped()
    end(oldest)
  }

  /** Whatever the branch of the ACK: to a 2xx it is a new one (RFC 3261 §13.2.2.4), and some programs mix it up. */
  function acknowledge(packet: Packet, ack: SipRequest): void {
    const call = identities.ofCall(packet, ack)
    const latest = calls.get(call)
    if (latest !== undefined) runner.acknowledge(invites.get(identities.ofInvite(call, ack)) ?? latest)
  }

  function begin(packet: Packet, request: SipRequest, identity: number): Remembered {
    makeRoom()
    const transaction = free.pop() ?? new Remembered(owner)
    transaction.begin(packet, request.method, identity)
    if (isAnswering && transaction.method === 'INVITE') {
      transaction.call = identities.ofCall(packet, request)
      transaction.invite = identities.ofInvite(transaction.call, request)
      const before = invites.get(transaction.invite)
      if (before !== undefined) end(before) // the next try with the same branch
    }
    remembered.add(transaction)
    if (transaction.invite !== null) invites.set(transaction.invite, transaction)
    runner.begin(transaction)
    return transaction
  }

  function end(transaction: Remembered): void {
    if (transaction.hasEnded) return
    transaction.hasEnded = true
    runner.halt(transaction)
    remembered.delete(transaction)
    const { call, invite } = transaction
    if (invite !== null && invites.get(invite) === transaction) invites.delete(invite)
    if (call !== null && calls.get(call) === transaction) calls.delete(call)
    report(transaction)
    for (const run of transaction.atEnd) run()
    recycle(transaction)
  }

  /** A call and its timers may hold on to an INVITE for longer. */
  function recycle(transaction: Remembered): void {
    if (!transaction.isReleased || !transaction.hasEnded) return
    if (transaction.method === 'INVITE' || free.length >= MOST_FREE) return
    transaction.path = NOWHERE // of a stream it holds the connection
    free.push(transaction)
  }

  /** An event that is not stored yet has no id: storedAs() reports it then. */
  function report({ eventId, retransmissions }: Remembered): void {
    if (eventId !== null && retransmissions > 0) onRetransmitted(eventId, retransmissions)
  }

  const owner: Owner = {
    respond(transaction, status, bytes, mayRetransmit) {
      if (transaction.hasEnded || transaction.method === 'ACK') return false // RFC 3261 §17.1.1.3: never answered
      const isTaken = runner.respond(transaction, status, bytes, mayRetransmit)
      if (isTaken && transaction.call !== null) calls.set(transaction.call, transaction)
      return isTaken
    },
    acknowledge: runner.acknowledge,
    report,
    end,
    recycle,
  }

  return {
    arrive(packet, request) {
      if (isAnswering && request.method === 'ACK') acknowledge(packet, request)
      const identity = identities.ofPacket(packet)
      const known = remembered.get(upperHalf(identity), identity | 0)
      if (known === null) return { kind: 'new', transaction: begin(packet, request, identity) }
      known.retransmissions++
      runner.comeAgain(known, packet)
      return RETRANSMISSION
    },
    cancelled: (packet, cancel) => invites.get(identities.ofInvite(identities.ofCall(packet, cancel), cancel)) ?? null,
    size: () => remembered.size(),
    stop() {
      for (let oldest = remembered.oldest(); oldest !== null; oldest = remembered.oldest()) end(oldest)
      runner.stop()
    },
  }
}

/** Of a transaction that has not begun, or waits to be used again. */
const NOWHERE: ReturnPath = {
  transport: 'UDP',
  sourceIp: '0.0.0.0' as IpAddress, // the canonical form
  sourcePort: 0,
  destinationIp: '0.0.0.0' as IpAddress,
  destinationPort: 0,
  reply: () => false,
}

const RETRANSMISSION: Arrival = { kind: 'retransmission' }

/** What a transaction has done by the table that it is in. */
interface Owner {
  respond(transaction: Remembered, status: number, bytes: Buffer, mayRetransmit: number): boolean
  acknowledge(transaction: Remembered): void
  report(transaction: Remembered): void
  end(transaction: Remembered): void
  recycle(transaction: Remembered): void
}

/**
 * A request that is remembered. An ACK is one too, as a transaction that nobody answers. A class, since there is one for
 * each packet of a flood: functions of its own took longer to make than all else, and four times the memory. Those that
 * have ended are used again: they are old, and V8's collector has the more to do the more becomes old.
 */
class Remembered implements Transaction, RunningTransaction<Remembered>, Linked<Remembered> {
  readonly #owner: Owner
  path: ReturnPath = NOWHERE
  requestBytes = 0
  method: 'INVITE' | 'ACK' | 'other' = 'other'
  high = 0
  low = 0
  /** Both of an INVITE only. */
  call: number | null = null
  invite: number | null = null
  state: TransactionState | null = null
  response: Buffer | null = null
  cancelRepeat: (() => void) | null = null
  retransmissions = 0
  eventId: number | null = null
  hasEnded = false
  isReleased = false
  atEnd: readonly (() => void)[] = NOTHING
  next: Remembered | null = null
  older: Remembered | null = null
  newer: Remembered | null = null
  waitsIn: Batch<Remembered> | null = null
  waitsBehind: Remembered | null = null
  waitsBefore: Remembered | null = null
  slab: Keeper['slab'] = null
  slabFrom = 0
  slabTo = 0

  constructor(owner: Owner) {
    this.#owner = owner
  }

  /** Also after its end, which has let go of its links, timers and response. */
  begin(packet: Packet, method: string, identity: number): void {
    this.path = returnPath(packet)
    this.requestBytes = packet.bytes.length
    this.method = method === 'INVITE' || method === 'ACK' ? method : 'other'
    this.high = upperHalf(identity)
    this.low = identity | 0
    this.state = null
    this.retransmissions = 0
    this.eventId = null
    this.hasEnded = false
    this.isReleased = false
    this.atEnd = NOTHING
  }

  respond(status: number, bytes: Buffer, mayRetransmit = 1): boolean {
    return this.#owner.respond(this, status, bytes, mayRetransmit)
  }

  isAnswered(): boolean {
    return this.state !== null && isAnswered(this.state)
  }

  acknowledge(): void {
    if (!this.hasEnded) this.#owner.acknowledge(this)
  }

  storedAs(eventId: number): void {
    this.eventId = eventId
    if (this.hasEnded) this.#owner.report(this)
  }

  forget(): number {
    this.#owner.end(this)
    return this.eventId === null ? this.retransmissions : 0
  }

  onEnd(run: () => void): void {
    if (this.hasEnded) run()
    else this.atEnd = [...this.atEnd, run]
  }

  release(): void {
    if (this.isReleased) return
    this.isReleased = true
    this.#owner.recycle(this)
  }
}
