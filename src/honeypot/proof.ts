// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { hash } from 'node:crypto'
import type { ProofBy } from '../event/event.ts'
import type { IpAddress } from '../net/ip.ts'
import type { Packet } from '../net/packet.ts'
import { headerValue, type SipRequest } from '../sip/message.ts'
import { addressParameter } from '../sip/uri.ts'
import { type Aged, createAgedMap } from './aged-map.ts'
import type { Persona } from './persona.ts'
import { createRandomText } from './random-text.ts'
import { readTokenTemplate, type TokenTemplate } from './token.ts'

/*
 * A datagram's source address can be forged, so what it says of itself proves nothing. Who sends back something that
 * only our reply held has read that reply, at that address and port: the tag of our To in ACK, BYE and re-INVITE, the
 * nonce of our challenge, the token in our Contact.
 *
 * Nothing is kept to know these again. Each is the beginning of SHA-512 over a secret of this process, its purpose, the
 * address, the port and the minute; to check one, the last minutes' are made again. (A prefix of a hash over a secret
 * and a message cannot be lengthened to that of a longer message: most of its state is not shown.)
 */

const SLOT_MS = 60_000
const SLOTS = 6 // this minute and five before it: a token lives between five and six minutes
const NONCE_BYTES = 64 // what a hash gives: templates need no more
const EXPIRED_SLOTS = 15 // after which a client that still uses a nonce is told no more than anybody
const MAX_PROVEN = 16_384 // chosen: 3 MB; the one that was quiet for longest is forgotten
const PROVEN_MS = 5 * SLOT_MS

/** One UDP address and port. With port 0 whoever is at the address, for what shall prove nothing. */
export interface Source {
  readonly sourceIp: IpAddress
  readonly sourcePort: number
}

/** How this node's tags, nonces and Contacts look. */
export interface TokenLook {
  /** Of answers to INVITE. */
  readonly tag: string
  /** In full, and where bytes are scarce. */
  readonly nonces: readonly string[]
  /** For the Contact; null when it holds no token. */
  readonly contact: string | null
}

/** What a persona makes of its tokens. */
export function tokenLook({ tag, nonce, shortNonce, contact }: Persona): TokenLook {
  return { tag, nonces: [nonce, shortNonce], contact: contact.includes('{token}') ? '{hex:24}' : null }
}

type Purpose = 'tag' | 'nonce' | 'contact' | 'mark'

export interface SourceProof {
  /** The tag for an answer to an INVITE of this call. */
  tag(source: Source, callId: string): string
  /** A nonce in the look with this index. */
  nonce(source: Source, look: number): string
  /** What the Contact holds, or the empty string. */
  contact(source: Source): string
  /** 64 bytes, one a character, that are always the same for these, and that prove nothing: for short tags. */
  mark(source: Source, context: string): string
  isOurNonce(source: Source, nonce: string): boolean
  /** Whether it was, and expired less than a quarter of an hour ago. */
  wasOurNonce(source: Source, nonce: string): boolean
  /** What in this request only our reply can have told its sender; null when there is nothing. */
  shownBy(packet: Packet, request: SipRequest, nonce: string | null): ProofBy | null
  /** Whether a source has shown something within the last five minutes; always so on TCP and TLS. */
  isProven(source: Source & Pick<Packet, 'transport'>): boolean
}

export interface SourceProofOptions {
  /** Known to this process only. */
  readonly secret: string
  readonly look: TokenLook
  readonly wallMs: () => number
  readonly steadyMs: () => number
  /** `node:crypto`'s. */
  readonly randomBytes: (size: number) => Buffer
}

export function createSourceProof({ secret, look, wallMs, steadyMs, randomBytes }: SourceProofOptions): SourceProof {
  const tagTemplate = readTokenTemplate(look.tag)
  const nonceTemplates = look.nonces.map(readTokenTemplate)
  const contactTemplate = look.contact === null ? null : readTokenTemplate(look.contact)
  const proven = createAgedMap<Proven>()
  const ports = new Map<IpAddress, number>() // how many of the proven have this address, for a quick no
  const randomText = createRandomText(randomBytes)

  /** As text of one character a byte: a Buffer takes half as long again. */
  function bytesFor(purpose: Purpose, { sourceIp, sourcePort }: Source, context: string, slot: number): string {
    return hash('sha512', `${secret}\n${purpose}\n${slot}\n${sourceIp}\n${sourcePort}\n${context}`, 'latin1')
  }

  const slotAt = (atMs: number) => Math.floor(atMs / SLOT_MS)
  const slotNow = () => slotAt(wallMs())

  /** Some second of the minute before the slot: never in the future, and the same again when the token is checked. */
  const secondOf = (slot: number, bytes: string) => (slot - 1) * 60 + (bytes.charCodeAt(63) % 60)

  function write(template: TokenTemplate, bytes: string, slot: number): string {
    return template.write(bytes, secondOf(slot, bytes))
  }

  /** The minutes in which a token is valid, the newest first. */
  function recentSlots(): number[] {
    const now = slotNow()
    return Array.from({ length: SLOTS }, (_, ago) => now - ago)
  }

  function expiredSlots(): number[] {
    const now = slotNow()
    return Array.from({ length: EXPIRED_SLOTS }, (_, ago) => now - SLOTS - ago)
  }

  /** Whether `matches` says yes to the bytes of one of them. */
  function isRecent(purpose: Purpose, source: Source, context: string, matches: Matcher): boolean {
    return recentSlots().some((slot) => matches(bytesFor(purpose, source, context, slot), slot))
  }

  function isOurTag(packet: Packet, request: SipRequest): boolean {
    const tag = addressParameter(headerValue(request, 'to') ?? '', 'tag')
    if (tag === null || tag.length !== tagTemplate.length) return false
    const callId = headerValue(request, 'call-id') ?? ''
    return isRecent('tag', packet, callId, (bytes, slot) => write(tagTemplate, bytes, slot) === tag)
  }

  // Two nonces of one minute differ, as those of any product do: two of their characters are chance, and hashed with it.
  // Where a product writes the time, it is the time, and hashed too.
  function writeNonce(template: TokenTemplate, source: Source, salt: string, unixS: number, slot: number): string {
    return template.salted(bytesFor('nonce', source, `${salt} ${unixS}`, slot), unixS, salt)
  }

  function isOurNonce(source: Source, nonce: string): boolean {
    return isNonceOf(recentSlots(), source, nonce)
  }

  function isNonceOf(slots: readonly number[], source: Source, nonce: string): boolean {
    return nonceTemplates.some((template) => {
      if (template.length !== nonce.length) return false
      const salt = template.saltOf(nonce)
      const unixS = template.timeOf(nonce)
      const isOf = (slot: number) => writeNonce(template, source, salt, unixS ?? 0, slot) === nonce
      if (unixS === null) return slots.some(isOf)
      const slot = slotAt(unixS * 1_000) // the time that it names is in the minute that it is of
      return slots.includes(slot) && isOf(slot)
    })
  }

  function hasOurContact(packet: Packet, { requestUri }: SipRequest): boolean {
    if (contactTemplate === null || !requestUri.includes(';')) return false
    return isRecent('contact', packet, '', (bytes, slot) => requestUri.includes(write(contactTemplate, bytes, slot)))
  }

  function remember(source: Source): void {
    const key = keyOf(source)
    const known = proven.get(key)
    if (known !== undefined) forget(known)
    proven.add(key, { key, sourceIp: source.sourceIp, atMs: steadyMs(), older: null, newer: null })
    ports.set(source.sourceIp, (ports.get(source.sourceIp) ?? 0) + 1)
    const oldest = proven.size() > MAX_PROVEN ? proven.oldest() : null
    if (oldest !== null) forget(oldest)
  }

  function forget({ key, sourceIp }: Proven): void {
    proven.delete(key)
    const left = (ports.get(sourceIp) ?? 1) - 1
    if (left === 0) ports.delete(sourceIp)
    else ports.set(sourceIp, left)
  }

  return {
    tag(source, callId) {
      const slot = slotNow()
      return write(tagTemplate, bytesFor('tag', source, callId, slot), slot)
    },
    nonce(source, index) {
      const nowMs = wallMs()
      const template = nonceTemplates[index]
      if (template === undefined) throw new RangeError(`there is no nonce of look ${index}`)
      const salt = template.salt(randomText(NONCE_BYTES))
      const unixS = template.timeOf('') === null ? 0 : Math.floor(nowMs / 1000)
      return writeNonce(template, source, salt, unixS, slotAt(nowMs))
    },
    contact(source) {
      const slot = slotNow()
      return contactTemplate === null ? '' : write(contactTemplate, bytesFor('contact', source, '', slot), slot)
    },
    mark: (source, context) => bytesFor('mark', source, context, 0),
    isOurNonce,
    wasOurNonce: (source, nonce) => isNonceOf(expiredSlots(), source, nonce),
    shownBy(packet, request, nonce) {
      const by = isOurTag(packet, request)
        ? 'to-tag'
        : nonce !== null && isOurNonce(packet, nonce)
          ? 'nonce'
          : hasOurContact(packet, request)
            ? 'contact'
            : null
      if (by !== null && packet.transport === 'UDP') remember(packet)
      return by
    },
    isProven(source) {
      if (source.transport !== 'UDP') return true
      const entry = ports.size > 0 && ports.has(source.sourceIp) ? proven.get(keyOf(source)) : undefined
      return entry !== undefined && steadyMs() - entry.atMs <= PROVEN_MS
    },
  }
}

interface Proven extends Aged<Proven> {
  readonly key: string
  readonly sourceIp: IpAddress
  readonly atMs: number
}

function keyOf({ sourceIp, sourcePort }: Source): string {
  return `${sourceIp} ${sourcePort}`
}

type Matcher = (bytes: string, slot: number) => boolean
