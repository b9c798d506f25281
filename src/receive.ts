// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { BadActorEvent, EventCredentials, OnSettled } from './event/event.ts'
import type { Respond } from './honeypot/respond.ts'
import type { Arrival, Transaction, Transactions } from './honeypot/transactions.ts'
import type { Packet } from './net/packet.ts'
import type { Counters } from './ops/counters.ts'
import type { KeepAlive, ParsedPacket } from './sip/message.ts'
import { isAnswerable, parseMessage } from './sip/parse.ts'

/*
 * What waits for its commit in a flood outlives some collections of V8's, which move all of it, so that it is little: the
 * packet and its transaction, in a place that is used again and again. The message is read once more for its answer,
 * which costs less than to have kept what was read.
 */

const MOST_FREE_PLACES = 4_096 // chosen: 1 MB; what waits in a longer flood makes its own

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

/** Where one packet waits, or none. */
interface Place {
  /** Null where nobody needs it any more, on a passive node. */
  packet: Packet | null
  done: () => void
  credentials: EventCredentials | null
  transaction: Transaction | null
  readonly onSettled: OnSettled
}

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
  const free: Place[] = []

  return (packet) => {
    counters.add('packetsReceived')
    try {
      take(packet)
    } catch (error) {
      counters.add('packetsFailed')
      onBug(error)
      packet.done()
    }
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
    try {
      const event = observe(packet, parsed)
      publish(event, waiting(packet, event.credentials, transaction))
    } catch (error) {
      transaction?.forget() // or it would swallow the next copy
      throw error
    }
  }

  function arrive(packet: Packet, parsed: Evidence): Arrival | Alone {
    const message = parsed.kind === 'fault' ? parsed.message : parsed
    if (message?.kind !== 'request' || !isAnswerable(message)) return ALONE
    return transactions.arrive(packet, message)
  }

  /** What hears of the fate of an event, with nothing of its packet that nobody needs any more. */
  function waiting(packet: Packet, credentials: EventCredentials | null, transaction: Transaction | null): OnSettled {
    const place = free.pop() ?? newPlace()
    place.packet = respond === null ? null : packet
    place.done = packet.done
    place.credentials = credentials
    place.transaction = transaction
    return place.onSettled
  }

  function newPlace(): Place {
    const place: Place = {
      packet: null,
      done: nobodyWaits,
      credentials: null,
      transaction: null,
      onSettled: (outcome, honeyId, cameAgain) => settle(place, outcome, honeyId, cameAgain),
    }
    return place
  }

  /** A place is free before it is left: all that was in it is taken out. */
  function settle(place: Place, ...fate: Parameters<OnSettled>): void {
    const { packet, done, credentials, transaction } = place
    place.packet = null
    place.done = nobodyWaits
    place.credentials = null
    place.transaction = null
    if (free.length < MOST_FREE_PLACES) free.push(place)
    try {
      close(transaction, ...fate)
      // Answered only now, so that the source is charged in the moment in which the bytes go out.
      if (fate[0] === 'stored' && packet !== null) answer(packet, credentials, transaction)
      transaction?.release()
    } catch (error) {
      counters.add('answersFailed')
      onBug(error)
    }
    done()
  }

  /** What gets no answer any more is answered when it comes again. */
  function close(transaction: Transaction | null, ...[outcome, honeyId, cameAgain]: Parameters<OnSettled>): void {
    if (honeyId !== null) transaction?.storedAs(honeyId)
    if (outcome === 'stored' || transaction === null) return
    const untold = transaction.forget()
    if (untold > 0) cameAgain?.(untold)
  }

  function answer(packet: Packet, credentials: EventCredentials | null, transaction: Transaction | null): void {
    const parsed = parseMessage(packet.bytes)
    if (parsed.kind !== 'keep-alive') respond?.(packet, parsed, credentials, transaction)
  }
}

function nobodyWaits(): void {}
