// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { ChallengeStyle, DigestAlgorithm } from '../sip/digest.ts'
import type { ReplyStyle } from '../sip/write.ts'
import { threeCx } from './personas/3cx.ts'
import { asterisk } from './personas/asterisk.ts'
import { audiocodes } from './personas/audiocodes.ts'
import { cisco } from './personas/cisco.ts'
import { kamailio } from './personas/kamailio.ts'
import { createSeededChoices, type SeededChoices } from './seeded.ts'

/** A header of ours: its name as the product spells it, and its value. */
export type PersonaHeader = readonly [name: string, value: string]

/**
 * How one kind of PBX shows on the wire: what it calls itself, how it writes its answers, and how it treats a caller.
 * Pure values: the same persona answers the same request in the same words on every day.
 *
 * Templates (`tag`, `shortTag`, `nonce`, `shortNonce`, `opaque`, `contact`, `sdp.owner`) have parts in braces, all else
 * is literal: `{hex:N} {HEX:N} {dec:N} {base64:N} {alnum:N}` are N characters of that alphabet, `{uuid}` is a UUID,
 * `{time}` is the time in Unix seconds.
 */
export interface Persona {
  readonly name: string
  readonly style: ReplyStyle
  readonly agent: readonly [name: 'Server' | 'User-Agent', value: string]
  /** The value of Allow exactly as written. */
  readonly allow: string
  /** The methods in `allow`. */
  readonly methods: ReadonlySet<string>
  readonly unknownMethodStatus: 405 | 501
  /** The value of Supported. */
  readonly supported: string | null
  /** The value of Accept in a 200 to OPTIONS. */
  readonly accept: string | null
  /** What else a full 200 to OPTIONS has. */
  readonly optionsHeaders: readonly PersonaHeader[]
  readonly realm: string
  /** Offered in this order, one challenge each (RFC 8760 §2.3). */
  readonly algorithms: readonly DigestAlgorithm[]
  readonly challenge: ChallengeStyle & {
    /** Whether the challenge has them at all. */
    readonly qop: boolean
    readonly opaque: boolean
  }
  /** Template of the To-tag of answers to INVITE, which comes back in ACK and BYE: 96 bits or more. */
  readonly tag: string
  /** Template of the To-tag of all other answers. Costs few bytes and proves nothing. */
  readonly shortTag: string
  /** Whether it puts the branch of the request there instead, as PJSIP does without a dialog. */
  readonly repeatsBranchAsTag?: boolean
  /** Template: 96 bits or more. */
  readonly nonce: string
  /** Template for when bytes are scarce: 96 bits or more in few characters. */
  readonly shortNonce: string
  /** Template. */
  readonly opaque: string
  readonly unknownUserStatus: 404 | 403
  /** Whether an INVITE has to log in first. */
  readonly challengesInvite: boolean
  readonly inviteChallengeStatus: 401 | 407
  readonly ringing: 180 | 183
  /** After the INVITE. */
  readonly ringsAfterMs: number
  /** After the INVITE. */
  readonly answersAfterMs: number
  /**
   * Template of the Contact URI of a 2xx to INVITE. Its own parts are `{user}` (`100@` or nothing), `{host}` (address
   * and port), `{transport}` (`;transport=tcp` or nothing) and `{token}` (what proves a source, 96 bits or more).
   */
  readonly contact: string
  readonly sdp: {
    /** Template of the user name in `o=`. */
    readonly owner: string
    /** The value of `s=`. */
    readonly session: string
    /** Whether `a=ptime` is written. */
    readonly ptime: boolean
  }
  /** What else a 200 to REGISTER has. */
  readonly registerHeaders: readonly PersonaHeader[]
}

/** What a seed and a product decide; the name and the set of methods follow from it. */
export type PersonaTraits = Omit<Persona, 'name' | 'methods'>

export const PERSONA_NAMES = ['asterisk', 'kamailio', '3cx', 'cisco', 'audiocodes'] as const

export type PersonaName = (typeof PERSONA_NAMES)[number]

const TRAITS: Readonly<Record<PersonaName, (choices: SeededChoices) => PersonaTraits>> = {
  asterisk,
  kamailio,
  '3cx': threeCx,
  cisco,
  audiocodes,
}

// One that wants a login before a call would never hear which numbers are dialled.
const LETTING_CALLS_THROUGH = ['asterisk', 'kamailio', 'cisco', 'audiocodes'] as const satisfies readonly PersonaName[]

/** Picks a persona for a node's first start, one that lets calls through. `random` is from 0 up to, but without, 1. */
export function choosePersona(random: number): PersonaName {
  return LETTING_CALLS_THROUGH[Math.floor(random * LETTING_CALLS_THROUGH.length)] ?? 'asterisk'
}

/** The persona of that name as `seed` (hexadecimal) varies it: version, realm and times. Always the same for one seed. */
export function createPersona(name: PersonaName, seed: string): Persona {
  const traits = TRAITS[name](createSeededChoices(`${seed} ${name}`))
  return { name, ...traits, methods: methodsIn(traits.allow) }
}

/** The methods that the value of an Allow header names. */
export function methodsIn(allow: string): ReadonlySet<string> {
  return new Set(allow.split(',').map((method) => method.trim()))
}
