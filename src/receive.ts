// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { BadActorEvent } from './event/event.ts'
import type { Packet } from './net/packet.ts'
import type { Counters } from './ops/counters.ts'
import type { KeepAlive, ParsedPacket } from './sip/message.ts'
import { parseMessage } from './sip/parse.ts'

type Evidence = Exclude<ParsedPacket, KeepAlive>

export interface ReceiverParts {
  readonly observe: (packet: Packet, parsed: Evidence) => BadActorEvent
  /** Null on a passive node. */
  readonly respond: ((packet: Packet, parsed: Evidence) => Buffer | null) | null
  /** Calls `onStored` once the event is committed. */
  readonly publish: (event: BadActorEvent, onStored: (() => void) | null) => void
  readonly counters: Counters
  /** Told of a packet that made us throw: our bug, and no reason for the others to suffer. */
  readonly onBug: (error: unknown) => void
}

/** The whole life of a packet: parse, observe, respond, publish; the reply goes out when the event is stored. */
export function createReceiver({
  observe,
  respond,
  publish,
  counters,
  onBug,
}: ReceiverParts): (packet: Packet) => void {
  return (packet) => {
    try {
      counters.add('packetsReceived')
      const parsed = parseMessage(packet.bytes)
      if (parsed.kind === 'keep-alive') return counters.add('keepAlives')
      const reply = respond?.(packet, parsed) ?? null
      publish(observe(packet, parsed), reply === null ? null : () => sendReply(packet, reply))
    } catch (error) {
      counters.add('packetsFailed')
      onBug(error)
    }
  }

  function sendReply(packet: Packet, reply: Buffer): void {
    counters.add(packet.reply(reply) ? 'repliesSent' : 'repliesNotSent')
  }
}
