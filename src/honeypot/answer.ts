// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { endpointText } from '../net/ip.ts'
import type { ReturnPath } from '../net/packet.ts'
import { createChallengeText } from '../sip/digest.ts'
import { headerElements } from '../sip/list.ts'
import { headerValue, headerValues, type SipRequest } from '../sip/message.ts'
import { addressParameter, addressUri, parseUri } from '../sip/uri.ts'
import type { Reply } from '../sip/write.ts'
import type { Persona } from './persona.ts'

/*
 * What a persona writes in answer to what. Every answer is a ladder, longest first: an unproven source gets the first
 * that it may be sent, so optional headers go first and what makes the answer one stays.
 */

export type Headers = readonly (readonly [name: string, value: string])[]

/** What a challenge holds that differs from one to the next. */
export interface Challenge {
  readonly nonce: string
  readonly shortNonce: () => string
  readonly opaque: string
  readonly stale: boolean
}

const MAX_EXPIRES_S = 3600 // what RFC 3261 §10.2.1.1 takes for a registration that names none
const SHORT_CHALLENGE = { separator: ',', order: ['realm', 'nonce', 'stale'] } as const

export interface Answers {
  /** A status with what has to be in it, and headers that are left out where bytes are scarce. */
  plain(status: number, needed?: Headers, optional?: Headers, body?: Reply['body']): readonly Reply[]
  /** RFC 3261 §11.2. */
  options(): readonly Reply[]
  /** 401 with WWW-Authenticate, or 407 with Proxy-Authenticate (RFC 3261 §22). */
  challenge(status: 401 | 407, challenge: Challenge): readonly Reply[]
  /** RFC 3261 §10.3 step 8: the bindings as they are now, each with the time it has left. */
  registered(request: SipRequest): readonly Reply[]
  subscribed(request: SipRequest, contact: string): readonly Reply[]
  /** RFC 3903 §11.3: a 200 has SIP-ETag and Expires. */
  published(request: SipRequest, entityTag: string): readonly Reply[]
  /** RFC 3261 §8.2.1. */
  notAllowed(): readonly Reply[]
  /** A 2xx to INVITE, which makes or refreshes a dialog (RFC 3261 §12.1.1, §13.3.1.4). */
  session(request: SipRequest, contact: string, sdp: string): readonly Reply[]
  /** 180 or 183. */
  ringing(request: SipRequest, contact: string): readonly Reply[]
}

/** `onStanding` is told of every reply that will be given again as it is. */
export function createAnswers(persona: Persona, onStanding: (reply: Reply) => void = () => {}): Answers {
  const { agent, algorithms, challenge: challengeStyle, realm } = persona
  const allow = ['Allow', persona.allow] as const
  const supported: Headers = persona.supported === null ? [] : [['Supported', persona.supported]]
  const accept: Headers = persona.accept === null ? [] : [['Accept', persona.accept]]

  const standing = new Map<number, readonly Reply[]>() // by status, of a handful

  function plain(status: number, needed: Headers = [], optional: Headers = [], body: Reply['body'] = null) {
    const replies: Reply[] = [
      { status, headers: [...needed, agent], body },
      { status, headers: needed, body, isLean: body === null },
    ]
    return optional.length === 0 ? replies : [{ status, headers: [...needed, agent, ...optional], body }, ...replies]
  }

  function keep(replies: readonly Reply[]): readonly Reply[] {
    for (const reply of replies) onStanding(reply)
    return replies
  }

  function bare(status: number): readonly Reply[] {
    const replies = standing.get(status) ?? keep(plain(status))
    standing.set(status, replies)
    return replies
  }

  const options = keep(plain(200, [], [allow, ...accept, ...supported, ...persona.optionsHeaders]))
  const { unknownMethodStatus } = persona
  const notAllowed = keep(plain(unknownMethodStatus, unknownMethodStatus === 405 ? [allow] : []))

  const { qop } = challengeStyle
  const challengeTexts = (stale: boolean) => ({
    full: algorithms.map((algorithm) => createChallengeText({ realm, algorithm, qop, stale, style: challengeStyle })),
    short: createChallengeText({ realm, algorithm: 'MD5', qop: false, stale, style: SHORT_CHALLENGE }),
  })
  const [asked, askedAgain] = [challengeTexts(false), challengeTexts(true)]

  return {
    plain: (status, needed = [], optional = [], body = null) =>
      needed.length + optional.length === 0 && body === null ? bare(status) : plain(status, needed, optional, body),
    options: () => options,
    challenge(status, challenge) {
      const texts = challenge.stale ? askedAgain : asked
      const name = status === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate'
      const opaque = challengeStyle.opaque ? challenge.opaque : null
      const full = texts.full.map((text) => [name, text(challenge.nonce, opaque)] as const)
      const short = () => [name, texts.short(challenge.shortNonce(), null)] as const
      return [
        { status, headers: [...full, agent], body: null },
        new LateReply(status, () => [short(), agent], false),
        new LateReply(status, () => [short()], true),
      ]
    },
    registered: (request) => plain(200, bindings(request), persona.registerHeaders),
    // RFC 6665 §4.2.1.1: a 200 has Expires. The NOTIFY that should follow is a request of ours: a honeypot sends none.
    subscribed: (request, contact) =>
      plain(200, [...recordRoutes(request), ['Contact', contact], ['Expires', String(expiresS(request))]]),
    published: (request, entityTag) =>
      plain(200, [
        ['SIP-ETag', entityTag],
        ['Expires', String(expiresS(request))],
      ]),
    notAllowed: () => notAllowed,
    session(request, contact, sdp) {
      const needed: Headers = [...recordRoutes(request), ['Contact', contact]]
      return plain(200, needed, [allow, ...supported], { type: 'application/sdp', text: sdp })
    },
    ringing: (request, contact) => plain(persona.ringing, [...recordRoutes(request), ['Contact', contact]], [allow]),
  }
}

/**
 * Its headers are written when they are looked at, which is seldom. A class: for an object literal with a getter V8 makes
 * a hidden class each time.
 */
class LateReply implements Reply {
  readonly status: number
  readonly body = null
  readonly isLean: boolean
  readonly #write: () => Headers

  constructor(status: number, write: () => Headers, isLean: boolean) {
    this.status = status
    this.#write = write
    this.isLean = isLean
  }

  get headers(): Headers {
    return this.#write()
  }
}

/** The Contact of our end: the persona's template, filled in. The user is the one called, if he can stand in a URI. */
export function contactAt(template: string, request: SipRequest, path: ReturnPath, token: string): string {
  const user = parseUri(request.requestUri)?.user ?? ''
  const parts: Readonly<Record<string, string>> = {
    user: /^[A-Za-z0-9+*_.-]{1,64}$/.test(user) ? `${user}@` : '',
    host: endpointText(path.destinationIp, path.destinationPort),
    transport: path.transport === 'UDP' ? '' : `;transport=${path.transport.toLowerCase()}`,
    token,
  }
  // RFC 3261 §12.1.1: who was called by a SIPS URI has one too.
  const scheme = /^sips:/i.test(request.requestUri) ? template.replace(/^sip:/, 'sips:') : template
  return `<${scheme.replace(/\{(\w+)\}/g, (part, name: string) => parts[name] ?? part)}>`
}

/** RFC 3261 §12.1.1: a response that makes a dialog repeats every Record-Route. */
function recordRoutes(request: SipRequest): Headers {
  return headerValues(request, 'record-route').map((value) => ['Record-Route', value] as const)
}

function bindings(request: SipRequest): Headers {
  const headers: (readonly [string, string])[] = []
  const usualS = expiresS(request) // once: it goes through all headers
  for (const element of headerElements(request, 'contact')) {
    const uri = addressUri(element)
    if (uri === null || parseUri(uri) === null) continue // `*`, and what scanners write there
    const own = addressParameter(element, 'expires')
    const seconds = own === null ? usualS : secondsOf(own)
    if (seconds > 0) headers.push(['Contact', `<${uri.replace(/[<>]/g, '')}>;expires=${seconds}`])
  }
  return headers
}

function expiresS(request: SipRequest): number {
  const value = headerValue(request, 'expires')
  return value === null ? MAX_EXPIRES_S : secondsOf(value)
}

/** RFC 3261 §20.10 and §20.19: a malformed value counts as 3600. */
function secondsOf(value: string): number {
  return /^\d{1,10}$/.test(value) ? Math.min(Number(value), MAX_EXPIRES_S) : MAX_EXPIRES_S
}
