// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createPersona, methodsIn, PERSONA_NAMES, type Persona } from './persona.ts'
import { readTokenTemplate } from './token.ts'

/** What is wrong in a persona file: which key, why, and what to do about it. */
export class PersonaError extends Error {
  constructor(key: string, fault: string, advice: string) {
    super(`${key} ${fault}. ${advice}`)
    this.name = 'PersonaError'
  }
}

/** Reads one value, or throws a PersonaError with its key. */
type Reader<T> = (value: unknown, key: string) => T

type Change = (persona: Persona) => Persona

const COPIED = ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Content-Type', 'Content-Length'] as const
const NEEDED_METHODS = ['INVITE', 'ACK', 'CANCEL', 'BYE', 'OPTIONS'] as const // RFC 3261 §5 and §11: any callee has them
const PROVING_BITS = 96 // what nobody guesses in the minutes that a token lives
const NONCE_BITS = PROVING_BITS + 12 // its first two characters are known
const MAX_TOKEN_CHARACTERS = 60 // what one SHA-512 gives, a byte a character
const MAX_TEXT = 512 // chosen: a reply has to stay in one datagram
const TOKEN = /^[A-Za-z0-9.!%*_+`'~-]+$/ // RFC 3261 §25.1

/** One row a key of the file: how its value is read, and what it changes in the persona that it is based on. */
const ROWS: Readonly<Record<string, Reader<Change>>> = {
  agent_header: row(oneOf('Server', 'User-Agent'), (p, name) => ({ ...p, agent: [name, p.agent[1]] })),
  agent: row(text, (p, value) => ({ ...p, agent: [p.agent[0], value] })),
  header_order: row(headerOrder, (p, order) => ({ ...p, style: { ...p.style, order } })),
  content_length_width: row(integer(0, 10), (p, width) => ({
    ...p,
    style: { order: p.style.order, contentLengthWidth: width },
  })),
  allow: row(allowed, (p, allow) => ({ ...p, allow, methods: methodsIn(allow) })),
  supported: row(textOrNothing, (p, supported) => ({ ...p, supported })),
  accept: row(textOrNothing, (p, accept) => ({ ...p, accept })),
  realm: row(quotable, (p, realm) => ({ ...p, realm })),
  algorithms: row(listOf(oneOf('MD5', 'SHA-256')), (p, algorithms) => ({ ...p, algorithms })),
  qop: row(yesOrNo, (p, qop) => ({ ...p, challenge: challengeWith(p.challenge, qop) })),
  tag: row(templateOf(tag, PROVING_BITS), (p, tag) => ({ ...p, tag })),
  short_tag: row(templateOf(tag, 0), (p, shortTag) => ({ ...p, shortTag })),
  nonce: row(templateOf(quotable, NONCE_BITS), (p, nonce) => ({ ...p, nonce })),
  short_nonce: row(templateOf(quotable, NONCE_BITS), (p, shortNonce) => ({ ...p, shortNonce })),
  unknown_user_status: row(oneOf(403, 404), (p, unknownUserStatus) => ({ ...p, unknownUserStatus })),
  challenges_invite: row(yesOrNo, (p, challengesInvite) => ({ ...p, challengesInvite })),
  ringing: row(oneOf(180, 183), (p, ringing) => ({ ...p, ringing })),
  rings_after_ms: row(integer(0, 10_000), (p, ringsAfterMs) => ({ ...p, ringsAfterMs })),
  answers_after_ms: row(integer(0, 60_000), (p, answersAfterMs) => ({ ...p, answersAfterMs })),
  contact: row(contact, (p, contact) => ({ ...p, contact })),
  sdp_owner: row(templateOf(owner, 0), (p, owner) => ({ ...p, sdp: { ...p.sdp, owner } })),
  sdp_session: row(text, (p, session) => ({ ...p, sdp: { ...p.sdp, session } })),
}

/**
 * The persona that a TOML table describes, its keys in snake case. What it leaves out is as in the built-in persona that
 * `based_on` names (asterisk without it), varied by `seed`. Throws a PersonaError.
 */
export function readCustomPersona(table: unknown, seed = '0'): Persona {
  if (typeof table !== 'object' || table === null || Array.isArray(table)) {
    throw new PersonaError('the persona', 'is no table', 'Write lines like realm = "pbx".')
  }
  const { based_on: basedOn = 'asterisk', ...values } = table as Readonly<Record<string, unknown>> // read key by key
  let persona: Persona = createPersona(oneOf(...PERSONA_NAMES)(basedOn, 'based_on'), seed)
  for (const [key, value] of Object.entries(values)) {
    const read = Object.hasOwn(ROWS, key) ? ROWS[key] : undefined
    if (read === undefined) {
      throw new PersonaError(key, 'is no key of a persona', `There are based_on, ${Object.keys(ROWS).join(', ')}.`)
    }
    persona = read(value, key)(persona)
  }
  if (persona.answersAfterMs < persona.ringsAfterMs) {
    throw new PersonaError(
      'answers_after_ms',
      `is less than the ${persona.ringsAfterMs} ms after which it rings`,
      'Raise it, or lower rings_after_ms.',
    )
  }
  return { ...persona, name: 'custom' }
}

function row<T>(reader: Reader<T>, change: (persona: Persona, value: T) => Persona): Reader<Change> {
  return (value, key) => {
    const read = reader(value, key)
    return (persona) => change(persona, read)
  }
}

function challengeWith(challenge: Persona['challenge'], qop: boolean): Persona['challenge'] {
  const order = challenge.order.filter((parameter) => parameter !== 'qop')
  return { ...challenge, qop, order: qop ? [...order, 'qop'] : order }
}

function text(value: unknown, key: string): string {
  if (typeof value !== 'string') throw new PersonaError(key, 'is no text', 'Write a text in quotation marks.')
  if (value.trim() === '') throw new PersonaError(key, 'is empty', 'Leave the key out, or give it a text.')
  if (value.length > MAX_TEXT) throw new PersonaError(key, 'is too long', `It may have ${MAX_TEXT} characters.`)
  // A line break would begin a header of its own.
  if (!/^[\x20-\x7e]+$/.test(value)) {
    throw new PersonaError(
      key,
      'has a control character or one beyond ASCII',
      'Take out line breaks, tabs and accents.',
    )
  }
  return value
}

/** The empty text leaves the header out. */
function textOrNothing(value: unknown, key: string): string | null {
  return value === '' ? null : text(value, key)
}

/** For what stands in a quoted string. */
function quotable(value: unknown, key: string): string {
  const read = text(value, key)
  if (/["\\]/.test(read)) throw new PersonaError(key, 'has a quotation mark or a backslash', 'Take it out.')
  return read
}

function yesOrNo(value: unknown, key: string): boolean {
  if (typeof value !== 'boolean') throw new PersonaError(key, 'is neither true nor false', 'Write it without quotes.')
  return value
}

function integer(min: number, max: number): Reader<number> {
  return (value, key) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
    throw new PersonaError(key, 'is out of range', `Write a whole number from ${min} to ${max}.`)
  }
}

function oneOf<const T extends string | number>(...choices: readonly T[]): Reader<T> {
  return (value, key) => {
    const choice = choices.find((candidate) => candidate === value)
    if (choice === undefined) {
      throw new PersonaError(key, 'has a value that it cannot have', `Choose from ${choices.join(', ')}.`)
    }
    return choice
  }
}

function listOf<T>(reader: Reader<T>): Reader<readonly T[]> {
  return (value, key) => {
    if (!Array.isArray(value)) throw new PersonaError(key, 'is no list', 'Write it in square brackets.')
    const items = value.map((item) => reader(item, key))
    if (items.length === 0) throw new PersonaError(key, 'is empty', 'Leave the key out, or put something in.')
    if (new Set(items).size < items.length) throw new PersonaError(key, 'has something twice', 'Take one out.')
    return items
  }
}

function headerOrder(value: unknown, key: string): readonly string[] {
  const order = listOf(text)(value, key)
  const lower = order.map((name) => name.toLowerCase())
  const odd = order.find((name, index) => !TOKEN.test(name) || lower.indexOf(name.toLowerCase()) !== index)
  if (odd !== undefined) throw new PersonaError(key, `has ${odd}, which is no name or comes twice`, 'Take it out.')
  const missing = COPIED.filter((name) => !lower.includes(name.toLowerCase()))
  if (missing.length > 0) throw new PersonaError(key, 'lacks what a response needs', `Add ${missing.join(', ')}.`)
  return order
}

function allowed(value: unknown, key: string): string {
  const allow = text(value, key)
  const methods = methodsIn(allow)
  const odd = [...methods].find((method) => !TOKEN.test(method))
  if (odd !== undefined) throw new PersonaError(key, `has "${odd}", which is no method`, 'Put commas between methods.')
  const missing = NEEDED_METHODS.filter((method) => !methods.has(method))
  if (missing.length > 0) throw new PersonaError(key, 'lacks methods of every call', `Add ${missing.join(', ')}.`)
  return allow
}

/** What `reader` takes, if it is a template with enough that nobody can guess. */
function templateOf(reader: Reader<string>, minBits: number): Reader<string> {
  return (value, key) => {
    const bits = bitsOf(text(value, key), key)
    if (bits >= minBits) return reader(value, key)
    throw new PersonaError(
      key,
      `has ${Math.floor(bits)} random bits`,
      `It needs ${minBits}: {hex:${Math.ceil(minBits / 4)}} has them.`,
    )
  }
}

function bitsOf(template: string, key: string): number {
  try {
    const token = readTokenTemplate(template)
    token.write('0'.repeat(MAX_TOKEN_CHARACTERS), 0)
    return token.bits
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new PersonaError(
      key,
      `is no template: ${error.message}`,
      `Parts are {hex:N} {HEX:N} {dec:N} {base64:N} {alnum:N} {uuid} {time}, ${MAX_TOKEN_CHARACTERS} characters in all.`,
    )
  }
}

function tag(value: unknown, key: string): string {
  const read = text(value, key)
  if (TOKEN.test(withoutParts(read))) return read
  throw new PersonaError(
    key,
    'has a character that a tag cannot have',
    "Letters, digits and -.!%*_+`'~ may stand in it.",
  )
}

function owner(value: unknown, key: string): string {
  const read = text(value, key)
  if (read.includes(' ')) throw new PersonaError(key, 'has a space, which ends it in SDP', 'Take it out.')
  return read
}

/** A letter for each part. */
function withoutParts(template: string): string {
  return template.replace(/\{[^{}]*\}/g, 'x')
}

function contact(value: unknown, key: string): string {
  const read = text(value, key)
  if (!/^sips?:/.test(read)) throw new PersonaError(key, 'is no SIP URI', 'Begin it with sip: or sips:.')
  if (!read.includes('{host}')) throw new PersonaError(key, 'lacks {host}', 'Put it where the address and port belong.')
  if (/[{}]/.test(read.replace(/\{(?:user|host|transport|token)\}/g, ''))) {
    throw new PersonaError(key, 'has an unknown part', 'Parts are {user} {host} {transport} {token}.')
  }
  if (/[ <>"\\]/.test(read))
    throw new PersonaError(key, 'has what a URI cannot have', 'Take out spaces, quotes, < and >.')
  return read
}
