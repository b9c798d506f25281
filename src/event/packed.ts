// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { IpAddress } from '../net/ip.ts'
import type { Transport } from '../net/packet.ts'
import { type BadActorEvent, type EventCredentials, PROOF_LEVELS, type ProofBy } from './event.ts'

/*
 * Events as bytes, one behind the other in a piece of memory (a slab) that is handed from thread to thread whole: what
 * waits for the store is no object that the garbage collector has to look at, and crossing costs the same for one event
 * and for a thousand.
 *
 * A record is words of 32 bits and one text:
 *
 *   bytes of the record | flags and small values | the two ports | 12 lengths | 6 more with credentials | the text
 *
 * The text is all texts of the event joined, so that it is written by one call and read by one; a length of -1 is null.
 * It is ASCII, one byte a character, or else UTF-16, which every string comes back from, one with lone surrogates too.
 * What is the same for every event of a node stands beside the slab, once.
 */

/** What all events of a batch have in common. */
export type BatchConstants = Pick<BadActorEvent, 'origin' | 'collectedMethod' | 'createdByNodeId'>

/** Events in the order in which they were added. */
export interface PackedBatch {
  /** Detached while another thread has it: `EventWriter.append` takes it away and brings it back. */
  slab: ArrayBuffer
  /** How much of the slab is used. */
  readonly bytes: number
  readonly count: number
  readonly constants: BatchConstants
}

/** A batch that takes events. */
export interface OpenBatch {
  readonly batch: PackedBatch
  /** False when the event does not fit, or differs in what a batch has in common. */
  add(event: BadActorEvent): boolean
}

const TRANSPORTS: readonly Transport[] = ['UDP', 'TCP', 'TLS']
const SHOWN_BY: readonly (ProofBy | null)[] = [null, 'to-tag', 'nonce', 'contact', 'tcp', 'tls']

const NULL = -1
const WORD_BYTES = 4
const LENGTHS_AT = 3 // words before the lengths
const TEXTS = 12
const CREDENTIALS = 6
const HEAD_BYTES = (LENGTHS_AT + TEXTS + CREDENTIALS) * WORD_BYTES
const LONGEST_UTF8 = 4 // bytes of one character (RFC 3629 §3)

const IS_UTF16 = 1
const HAS_CREDENTIALS = 2
const TRANSPORT_BIT = 2
const PROOF_BIT = 4
const SHOWN_BY_BIT = 6

/** How large a slab must be for this event, in bytes; its record is half of that where the texts are ASCII. */
export function slabBytesFor(event: BadActorEvent): number {
  return roomFor(textOf(event).length)
}

/** Begins a batch in `slab`, whose length is a multiple of 4 and whose content does not matter. */
export function openBatch(slab: ArrayBuffer, { origin, collectedMethod, createdByNodeId }: BatchConstants): OpenBatch {
  const bytes = Buffer.from(slab, 0, slab.byteLength) // with a length views of a resizable slab cost less
  const words = new Int32Array(slab, 0, slab.byteLength / WORD_BYTES)
  const batch = { slab, bytes: 0, count: 0, constants: { origin, collectedMethod, createdByNodeId } }
  return {
    batch,
    add(event) {
      if (event.createdByNodeId !== createdByNodeId) return false
      if (event.collectedMethod !== collectedMethod || event.origin !== origin) return false
      const text = textOf(event)
      if (batch.bytes + roomFor(text.length) > bytes.length) return false
      batch.bytes = write(event, text, bytes, words, batch.bytes)
      batch.count++
      return true
    },
  }
}

/** The events of a batch, as they were added. */
export function unpack({ slab, bytes: end, count, constants }: PackedBatch): BadActorEvent[] {
  const bytes = Buffer.from(slab, 0, end)
  const words = new Int32Array(slab, 0, end / WORD_BYTES)
  const events = new Array<BadActorEvent>(count)
  for (let at = 0, index = 0; index < count; index++) {
    const length = words[at / WORD_BYTES] ?? 0
    events[index] = read(bytes, words, at, at + length, constants)
    at += length
  }
  return events
}

/** With room for a text that turns out to be none of ASCII, and for the end of the writing of it to be seen. */
function roomFor(characters: number): number {
  return HEAD_BYTES + Math.ceil((2 * characters + LONGEST_UTF8) / WORD_BYTES) * WORD_BYTES
}

function textOf(event: BadActorEvent): string {
  const { method, calledNumber, requestUser, userAgent, fault, fingerprint, tool, credentials } = event
  const ends = `${event.timestamp}${event.eventUuid}${event.sourceIp}${event.destinationIp}`
  const dialled = `${method ?? ''}${calledNumber ?? ''}${requestUser ?? ''}${userAgent ?? ''}`
  const read = `${fault ?? ''}${fingerprint ?? ''}${tool ?? ''}${event.sipMessage}`
  if (credentials === null) return ends + dialled + read
  const { user, realm, nonce, response, algorithm, password } = credentials
  return `${ends}${dialled}${read}${user}${realm}${nonce}${response}${algorithm}${password ?? ''}`
}

/** Writes one record and gives its end. */
function write(event: BadActorEvent, text: string, bytes: Buffer, words: Int32Array, start: number): number {
  const { credentials } = event
  let word = start / WORD_BYTES + LENGTHS_AT
  words[word++] = event.timestamp.length
  words[word++] = event.eventUuid.length
  words[word++] = event.sourceIp.length
  words[word++] = event.destinationIp.length
  words[word++] = event.method?.length ?? NULL
  words[word++] = event.calledNumber?.length ?? NULL
  words[word++] = event.requestUser?.length ?? NULL
  words[word++] = event.userAgent?.length ?? NULL
  words[word++] = event.fault?.length ?? NULL
  words[word++] = event.fingerprint?.length ?? NULL
  words[word++] = event.tool?.length ?? NULL
  words[word++] = event.sipMessage.length
  if (credentials !== null) {
    words[word++] = credentials.user.length
    words[word++] = credentials.realm.length
    words[word++] = credentials.nonce.length
    words[word++] = credentials.response.length
    words[word++] = credentials.algorithm.length
    words[word++] = credentials.password?.length ?? NULL
  }
  const textAt = word * WORD_BYTES
  // Only of ASCII does UTF-8 take as many bytes as there are characters: to write is to know.
  let textBytes = bytes.write(text, textAt, 'utf8')
  const isUtf16 = textBytes !== text.length
  if (isUtf16) textBytes = bytes.write(text, textAt, 'utf16le')
  const end = (textAt + textBytes + WORD_BYTES - 1) & -WORD_BYTES
  const head = start / WORD_BYTES
  words[head] = end - start
  words[head + 1] =
    (isUtf16 ? IS_UTF16 : 0) |
    (credentials === null ? 0 : HAS_CREDENTIALS) |
    (TRANSPORTS.indexOf(event.transport) << TRANSPORT_BIT) |
    (PROOF_LEVELS.indexOf(event.proof) << PROOF_BIT) |
    (SHOWN_BY.indexOf(event.proofBy) << SHOWN_BY_BIT)
  words[head + 2] = event.sourcePort | (event.destinationPort << 16)
  return end
}

function read(bytes: Buffer, words: Int32Array, at: number, end: number, constants: BatchConstants): BadActorEvent {
  let word = at / WORD_BYTES
  const flags = words[word + 1] ?? 0
  const ports = words[word + 2] ?? 0
  word += LENGTHS_AT
  const hasCredentials = (flags & HAS_CREDENTIALS) !== 0
  const textAt = (word + TEXTS + (hasCredentials ? CREDENTIALS : 0)) * WORD_BYTES
  const text = bytes.toString((flags & IS_UTF16) !== 0 ? 'utf16le' : 'latin1', textAt, end)
  let from = 0
  const next = (): string => {
    const start = from
    from += words[word++] ?? 0
    return text.slice(start, from)
  }
  const nextOrNull = (): string | null => {
    if (words[word] !== NULL) return next()
    word++
    return null
  }
  return {
    origin: constants.origin,
    timestamp: next(),
    eventUuid: next(),
    collectedMethod: constants.collectedMethod,
    transport: TRANSPORTS[(flags >> TRANSPORT_BIT) & 3] ?? 'UDP',
    sourceIp: next() as IpAddress, // it was one when it was packed
    sourcePort: ports & 0xffff,
    destinationIp: next() as IpAddress,
    destinationPort: ports >>> 16,
    method: nextOrNull(),
    calledNumber: nextOrNull(),
    requestUser: nextOrNull(),
    userAgent: nextOrNull(),
    fault: nextOrNull(),
    fingerprint: nextOrNull(),
    tool: nextOrNull(),
    sipMessage: next(),
    createdByNodeId: constants.createdByNodeId,
    proof: PROOF_LEVELS[(flags >> PROOF_BIT) & 3] ?? 'none',
    proofBy: SHOWN_BY[flags >> SHOWN_BY_BIT] ?? null,
    credentials: hasCredentials ? readCredentials(next, nextOrNull) : null,
  }
}

function readCredentials(next: () => string, nextOrNull: () => string | null): EventCredentials {
  return { user: next(), realm: next(), nonce: next(), response: next(), algorithm: next(), password: nextOrNull() }
}
