// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { randomInt } from 'node:crypto'
import type { BadActorEvent } from './event/event.ts'
import { networkOf } from './net/ip.ts'
import type { Retransmissions } from './store/store.ts'

/*
 * What a node leaves out when more comes than the database takes, the least missed first: replies, lines of `-v`,
 * bodies, events like one that waits, everything of sources that are known; at last everything. How full the room is in
 * which events wait decides. New sources, and calls to new numbers, have a place until it is full.
 */

/** How full the room is when each is left out, from 0 to 1. Chosen, in the order of what is missed least. */
export const LEFT_OUT_FROM = { replies: 0.5, lines: 0.55, bodies: 0.6, repeated: 0.75, known: 0.9 } as const

const CALM_BELOW = 0.25 // chosen: well below the first step, so that an overload that comes and goes is one
const MAX_KEY_CHARACTERS = 256 // longer texts are no scanner's; a hundred thousand of these are 25 MB
const SEEN_SLOTS = 65_536 // 256 KiB; of two that share a slot the older one is new again
const HASHED_CHARACTERS = 64
const FNV_PRIME = 16_777_619 // FNV-1a, draft-eastlake-fnv §5

/**
 * `whole`: as ever. `unanswered`: stored, and not answered. `bare`: also without its body. `repeated`: one like it waits
 * and was told of it. `known`: there is no room for more of its source.
 */
export type Admission = 'whole' | 'unanswered' | 'bare' | 'repeated' | 'known'

export interface Overload {
  /** What is to be done with an event that has come. */
  admit(event: BadActorEvent, fullness: number): Admission
  /** The event waits as number `index` of `batch`. */
  waits(event: BadActorEvent, batch: object, index: number): void
  /** How often events like those of this batch came; the batch is forgotten. */
  stored(batch: object, firstId: number): Retransmissions[]
  /** Nothing waits any more. */
  clear(): void
}

interface Place {
  readonly key: string
  readonly index: number
  repeated: number
}

export function createOverload(): Overload {
  const places = new Map<string, Place>()
  const ofBatch = new Map<object, Place[]>()
  let seen: { readonly sources: Seen; readonly numbers: Seen } | null = null

  const isNew = (event: BadActorEvent): boolean => {
    if (seen === null) return true
    if (!seen.sources.has(networkOf(event.sourceIp))) return true
    return numbersOf(event).some((number) => !seen?.numbers.has(number))
  }

  return {
    admit(event, fullness) {
      if (fullness < LEFT_OUT_FROM.replies) {
        if (seen !== null && fullness < CALM_BELOW) seen = null
        return 'whole'
      }
      seen ??= { sources: createSeen(), numbers: createSeen() }
      if (fullness < LEFT_OUT_FROM.bodies) return 'unanswered'
      if (fullness < LEFT_OUT_FROM.repeated) return 'bare'
      const key = likeness(event)
      const place = key === null ? undefined : places.get(key)
      if (place !== undefined) {
        place.repeated++
        return 'repeated'
      }
      return fullness < LEFT_OUT_FROM.known || isNew(event) ? 'bare' : 'known'
    },
    waits(event, batch, index) {
      if (seen === null) return
      seen.sources.add(networkOf(event.sourceIp))
      for (const number of numbersOf(event)) seen.numbers.add(number)
      const key = likeness(event)
      if (key === null || places.has(key)) return
      const place = { key, index, repeated: 0 }
      places.set(key, place)
      const others = ofBatch.get(batch)
      if (others === undefined) ofBatch.set(batch, [place])
      else others.push(place)
    },
    stored(batch, firstId) {
      const mine = ofBatch.get(batch) ?? []
      ofBatch.delete(batch)
      for (const { key } of mine) places.delete(key)
      return mine
        .filter(({ repeated }) => repeated > 0)
        .map(({ index, repeated }) => ({ honeyId: firstId + index, retransmissions: repeated }))
    },
    clear() {
      places.clear()
      ofBatch.clear()
    },
  }
}

/** The event with the header block of its message alone, and a fault that says so; null when it has no body. */
export function withoutBody(event: BadActorEvent): BadActorEvent | null {
  const { sipMessage, fault } = event
  const head = headLength(sipMessage)
  if (head >= sipMessage.length) return null
  const left = `truncated at character ${head}: too much waited for the database, the body was left out`
  return { ...event, sipMessage: sipMessage.slice(0, head), fault: fault === null ? left : `${fault}; ${left}` }
}

/** Up to the empty line, with it; RFC 3261 §7.5 has CRLF, some programs send LF. */
function headLength(message: string): number {
  const crlf = message.indexOf('\r\n\r\n')
  const lf = message.indexOf('\n\n')
  if (crlf === -1 && lf === -1) return message.length
  return lf === -1 || (crlf !== -1 && crlf < lf) ? crlf + 4 : lf + 2
}

/** What scanners send again and again; null for what is evidence every time: a call, a password, what is not SIP. */
function likeness(event: BadActorEvent): string | null {
  const { method, credentials, fault, sourceIp, transport, calledNumber, requestUser, userAgent } = event
  if ((method !== 'OPTIONS' && method !== 'REGISTER') || credentials !== null || fault !== null) return null
  const key = [sourceIp, transport, method, calledNumber, requestUser, userAgent].join('\n')
  return key.length > MAX_KEY_CHARACTERS ? null : key
}

/** The numbers that a call is to. */
function numbersOf({ method, calledNumber, requestUser }: BadActorEvent): string[] {
  return method === 'INVITE' ? [calledNumber, requestUser].filter((number) => number !== null) : []
}

interface Seen {
  has(text: string): boolean
  add(text: string): void
}

/** Texts that were there lately, in memory that does not grow; the seed keeps anybody from choosing who shares a slot. */
function createSeen(): Seen {
  const slots = new Uint32Array(SEEN_SLOTS)
  const seed = randomInt(2 ** 32)
  const hash = (text: string): number => {
    let value = seed
    const length = Math.min(text.length, HASHED_CHARACTERS)
    for (let at = 0; at < length; at++) value = Math.imul(value ^ text.charCodeAt(at), FNV_PRIME)
    return (value ^ (value >>> 15)) | 1 // an empty slot is 0
  }
  return {
    has(text) {
      const value = hash(text)
      return slots[(value >>> 1) % SEEN_SLOTS] === value >>> 0
    },
    add(text) {
      const value = hash(text)
      slots[(value >>> 1) % SEEN_SLOTS] = value
    },
  }
}
