// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { BadActorEvent, Outcome } from './event/event.ts'
import type { Packet } from './net/packet.ts'
import type { Counters } from './ops/counters.ts'
import type { KeepAlive, ParsedPacket } from './sip/message.ts'
import { parseMessage } from './sip/parse.ts'

type Evidence = Exclude<ParsedPacket, KeepAlive>

export interface ReceiverParts {
  readonly observe: (packet: Packet, parsed: Evidence) => BadActorEvent
  /** Null on a passive node. */
  readonly respond: ((packet: Packet, parsed: Evidence) => Buffer | null) | null
  /** Calls `onSettled` once, when the fate of the event is known. */
  readonly publish: (event: BadActorEvent, onSettled: (outcome: Outcome) => void) => void
  readonly counters: Counters
  /** Told of a packet that made us throw: our bug, and no reason for the others to suffer. */
  readonly onBug: (error: unknown) => void
}

/**
 * The whole life of a packet: parse, observe, publish, and, once the event is stored, respond. `packet.done` is called
 * when nothing more will come of it.
 */
export function createReceiver({
  observe,
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
    publish(observe(packet, parsed), (outcome) => {
      if (outcome === 'stored') guarded(() => answer(packet, parsed))
      packet.done()
    })
  }

  // Built only now, so that the source is charged in the moment in which the bytes go out.
  function answer(packet: Packet, parsed: Evidence): void {
    const reply = respond?.(packet, parsed) ?? null
    if (reply !== null) counters.add(packet.reply(reply) ? 'repliesSent' : 'repliesNotSent')
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
