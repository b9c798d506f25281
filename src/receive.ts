// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { BadActorEvent, OnSettled } from './event/event.ts'
import type { Respond } from './honeypot/respond.ts'
import type { Arrival, Transaction, Transactions } from './honeypot/transactions.ts'
import type { Packet } from './net/packet.ts'
import type { Counters } from './ops/counters.ts'
import type { KeepAlive, ParsedPacket } from './sip/message.ts'
import { isAnswerable, parseMessage } from './sip/parse.ts'

type Evidence = Exclude<ParsedPacket, KeepAlive>

export interface ReceiverParts {
  readonly observe: (packet: Packet, parsed: Evidence) => BadActorEvent
  readonly transactions: Transactions
  /** Null on a passive node. */
  readonly respond: Respond | null
  /** Calls `onSettled` once, when the fate of the event is known. */
  readonly publish: (event: BadActorEvent, onSettled: OnSettled) => void
  readonly counters: Counters
  /** Told of a packet that made us throw: our bug, and no reason for the others to suffer. */
  readonly onBug: (error: unknown) => void
}

/** A message that has no transaction: it is no request, or one that no answer would find its way back from. */
interface Alone {
  readonly kind: 'new'
  readonly transaction: null
}

const ALONE: Alone = { kind: 'new', transaction: null }

/**
 * The whole life of a packet: parse, know a retransmission when it is one, observe, publish, and, once the event is
 * stored, respond. `packet.done` is called when nothing more will come of it.
 */
export function createReceiver({
  observe,
  transactions,
  respond,
  publish,
  counters,
  onBug,
}: ReceiverParts): (packet: Packet) => void {
  return (packet) => {
    counters.add('packetsReceived')
    if (!guarded(() => take(packet))) packet.done()
  }

  function take(packet: Packet): void {
    const parsed = parseMessage(packet.bytes)
    if (parsed.kind === 'keep-alive') {
      counters.add('keepAlives')
      packet.done()
      return
    }
    if (parsed.kind === 'fault' && parsed.code === 'not-sip') counters.add('notSip')
    const arrival = arrive(packet, parsed)
    if (arrival.kind === 'retransmission') {
      counters.add('retransmissions')
      packet.done()
      return
    }
    const { transaction } = arrival
    const event = seen(packet, parsed, transaction)
    publish(
      event,
      respond === null ? unanswered(packet.done, transaction) : answered(packet, parsed, event, transaction),
    )
  }

  /** It waits for the commit, with nothing of the packet, that nobody needs any more. */
  function unanswered(done: () => void, transaction: Transaction | null): OnSettled {
    return (...fate) => {
      guarded(() => close(transaction, ...fate))
      done()
    }
  }

  function answered(
    packet: Packet,
    parsed: Evidence,
    event: BadActorEvent,
    transaction: Transaction | null,
  ): OnSettled {
    return (...fate) => {
      guarded(() => {
        close(transaction, ...fate)
        // Answered only now, so that the source is charged in the moment in which the bytes go out.
        if (fate[0] === 'stored') respond?.(packet, parsed, event, transaction)
      })
      packet.done()
    }
  }

  /** What throws here leaves no transaction behind that would swallow the next copy. */
  function seen(packet: Packet, parsed: Evidence, transaction: Transaction | null): BadActorEvent {
    try {
      return observe(packet, parsed)
    } catch (error) {
      transaction?.forget()
      throw error
    }
  }

  function arrive(packet: Packet, parsed: Evidence): Arrival | Alone {
    const message = parsed.kind === 'fault' ? parsed.message : parsed
    if (message?.kind !== 'request' || !isAnswerable(message)) return ALONE
    return transactions.arrive(packet, message)
  }

  /** What gets no answer any more is answered when it comes again. */
  function close(transaction: Transaction | null, ...[outcome, honeyId, cameAgain]: Parameters<OnSettled>): void {
    if (honeyId !== null) transaction?.storedAs(honeyId)
    if (outcome === 'stored' || transaction === null) return
    const untold = transaction.forget()
    if (untold > 0) cameAgain?.(untold)
  }

  /** False when it failed. */
  function guarded(work: () => void): boolean {
    try {
      work()
      return true
    } catch (error) {
      counters.add('packetsFailed')
      onBug(error)
      return false
    }
  }
}
