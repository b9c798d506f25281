// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { hash } from 'node:crypto'
import { textOfBytes } from '../../src/event/text.ts'

/*
 * What was sent, so that each message can be looked for. A message is known again by one of three things:
 *
 *   its mark       a text in it, `soak-FLOW-NUMBER;`, that no other message has: whatever we write ourselves
 *   its sender     address and port of a connection: streams that are damaged, of which only the number of messages is known
 *   its bytes      with address and port: datagrams of other people's programs, which pass a relay of ours
 */

/** What may have arrived of one thing: fewer than `least` are missing, more than `most` are made up. */
export interface Bounds {
  least: number
  most: number
}

/** Messages of one kind, numbered from 0. */
export interface Flow {
  readonly name: string
  /** The number of a message that is going to be sent. */
  next(): number
  /** A copy of a datagram left: the kernel took it, and may drop it. */
  datagramLeft(number: number): void
  /** A whole message was written to a stream; it has to arrive unless the stream broke (`isCertain` false). */
  written(number: number, isCertain: boolean): void
  boundsOf(number: number): Bounds
  count(): number
}

export interface Ledger {
  flow(name: string): Flow
  flows(): readonly Flow[]
  keepAliveLeft(): void
  /** A datagram of another program left from there. */
  relayed(address: string, port: number, bytes: Buffer): void
  /** Messages were written to a connection from there. */
  connection(address: string, port: number, bounds: Readonly<Bounds>): void
  /** Keep-alives in the middle of a damaged stream. */
  streamKeepAlives(bounds: Readonly<Bounds>): void
  /** By `placeOf()`. */
  readonly connections: ReadonlyMap<string, Readonly<Bounds>>
  /** Copies by `verbatimKey()`. */
  readonly verbatim: ReadonlyMap<string, number>
  datagrams(): number
  /** Among the datagrams. */
  keepAlives(): number
  keepAlivesOnStreams(): Readonly<Bounds>
}

const FIRST_ROOM = 1_024
const MARK = /^soak-([a-z]{1,20})-(\d{1,9});/
const MARK_ROOM = 40
// bench/load.c and bench/messages.ts number their messages here.
const FLOOD_CALL_ID = '\r\nCall-ID: 937216578490216473'
const FLOOD_DIGITS = 10

export const FLOOD = 'flood'

export function markOf(flow: string, number: number): string {
  return `soak-${flow}-${number};`
}

/** The flow and number of a message by its mark, or null. */
export function markIn(text: string): { readonly flow: string; readonly number: number } | null {
  const at = text.lastIndexOf('soak-')
  const [, flow, number] = at === -1 ? [] : (MARK.exec(text.slice(at, at + MARK_ROOM)) ?? [])
  if (flow !== undefined) return { flow, number: Number(number) }
  const callId = text.indexOf(FLOOD_CALL_ID)
  if (callId === -1) return null
  const from = callId + FLOOD_CALL_ID.length
  const digits = text.slice(from, from + FLOOD_DIGITS)
  return /^\d{10}$/.test(digits) ? { flow: FLOOD, number: Number(digits) } : null
}

export function placeOf(address: string, port: number): string {
  return `${address}:${port}`
}

/** `text` is the message as the database has it. */
export function verbatimKey(address: string, port: number, text: string): string {
  return `${placeOf(address, port)} ${hash('sha1', text, 'base64url')}`
}

export function createLedger(): Ledger {
  const flows = new Map<string, Flow>()
  const connections = new Map<string, Bounds>()
  const verbatim = new Map<string, number>()
  let datagrams = 0
  let keepAlives = 0
  const onStreams = { least: 0, most: 0 }
  const onDatagram = () => {
    datagrams++
  }
  return {
    flow(name) {
      const flow = flows.get(name) ?? createFlow(name, onDatagram)
      flows.set(name, flow)
      return flow
    },
    flows: () => [...flows.values()],
    keepAliveLeft() {
      keepAlives++
      datagrams++
    },
    relayed(address, port, bytes) {
      datagrams++
      const key = verbatimKey(address, port, textOfBytes(bytes))
      verbatim.set(key, (verbatim.get(key) ?? 0) + 1)
    },
    connection(address, port, { least, most }) {
      const before = connections.get(placeOf(address, port)) // the port was used before
      connections.set(placeOf(address, port), { least: least + (before?.least ?? 0), most: most + (before?.most ?? 0) })
    },
    streamKeepAlives({ least, most }) {
      onStreams.least += least
      onStreams.most += most
    },
    connections,
    verbatim,
    datagrams: () => datagrams,
    keepAlives: () => keepAlives,
    keepAlivesOnStreams: () => onStreams,
  }
}

/** A byte or two a message: an hour has millions. */
function createFlow(name: string, onDatagram: () => void): Flow {
  let count = 0
  let [least, most] = [new Uint8Array(FIRST_ROOM), new Uint8Array(FIRST_ROOM)]
  const larger = (old: Uint8Array<ArrayBuffer>) => {
    const room = new Uint8Array(old.length * 2)
    room.set(old)
    return room
  }
  const add = (counts: Uint8Array, number: number) => {
    counts[number] = (counts[number] ?? 0) + 1
  }
  return {
    name,
    next() {
      if (count === most.length) [least, most] = [larger(least), larger(most)]
      return count++
    },
    datagramLeft(number) {
      add(most, number)
      onDatagram()
    },
    written(number, isCertain) {
      add(most, number)
      if (isCertain) add(least, number)
    },
    boundsOf: (number) => ({ least: least[number] ?? 0, most: most[number] ?? 0 }),
    count: () => count,
  }
}
