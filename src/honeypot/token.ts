// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/*
 * Tags, nonces and the like, in the look of a product: `{hex:32}.{hex:8}`. A template says how many characters of which
 * alphabet stand where; everything outside the braces is literal.
 */

const ALPHABETS = {
  hex: '0123456789abcdef',
  HEX: '0123456789ABCDEF',
  dec: '0123456789',
  base64: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_', // of RFC 4648 §5: a tag has no + or /
  alnum: '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
} as const

type Alphabet = keyof typeof ALPHABETS

type Part =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'characters'; readonly alphabet: string; readonly count: number }
  | { readonly kind: 'uuid' }
  | { readonly kind: 'time' }

/** A template that was read; see `readTokenTemplate`. */
export interface TokenTemplate {
  /** How much of a token nobody can guess. */
  readonly bits: number
  /** Of every token, in characters. */
  readonly length: number
  /**
   * The token for these bytes (text of one character a byte), one of which goes into each character, so the same bytes
   * make the same token. Throws a RangeError when there are fewer than it needs. `{time}` becomes `unixS`.
   */
  write(bytes: string, unixS: number): string
  /** The same with `salt` for its first two random characters; what `saltOf` gives back. For templates that have them. */
  salted(bytes: string, unixS: number, salt: string): string
  /** A salt for these bytes, of which it takes two or more. */
  salt(bytes: string): string
  /** The two characters of a token that `salted` wrote; anything for other text. */
  saltOf(token: string): string
  /** The time that stands in a token as far as it is digits, null for a template that has none. */
  timeOf(token: string): number | null
}

/** Characters of a salted token that everybody may know. */
export const SALT_LENGTH = 2

const TIME_LENGTH = 10 // until the year 2286
const UUID_LENGTH = 36
const UUID_BYTES = 16
const PART = /\{([^{}]*)\}|([^{}]+)|[{}]/g

/**
 * Reads a template of literal text and parts: `{hex:N}`, `{HEX:N}`, `{dec:N}`, `{base64:N}` (URL-safe), `{alnum:N}`,
 * `{uuid}` (version 4) and `{time}` (Unix time in seconds). Throws a RangeError that names the part it does not know.
 */
export function readTokenTemplate(template: string): TokenTemplate {
  const parts = [...template.matchAll(PART)].map(([text, part]) => readPart(text, part))
  const bits = parts.reduce((sum, part) => sum + bitsOf(part), 0)
  const saltAt = lengthBefore(parts, ({ kind }) => kind === 'characters' || kind === 'uuid')
  const timeAt = parts.some(({ kind }) => kind === 'time') ? lengthBefore(parts, ({ kind }) => kind === 'time') : null
  const needed = parts.reduce((sum, part) => sum + bytesOf(part), 0)
  const saltParts = saltPartsOf(parts)
  function write(bytes: string, unixS: number): string {
    if (bytes.length < needed) throw new RangeError(`${bytes.length} bytes are too few for ${template}`)
    return writeParts(parts, bytes, unixS)
  }
  return {
    bits,
    length: lengthBefore(parts, () => false),
    write,
    salted(bytes, unixS, salt) {
      const token = write(bytes, unixS)
      return token.slice(0, saltAt) + salt + token.slice(saltAt + SALT_LENGTH)
    },
    salt: (bytes) => writeParts(saltParts, bytes, 0).slice(0, SALT_LENGTH),
    saltOf: (token) => token.slice(saltAt, saltAt + SALT_LENGTH),
    timeOf: (token) => (timeAt === null ? null : Number.parseInt(token.slice(timeAt, timeAt + TIME_LENGTH), 10)),
  }
}

/** Where the first part of some kind begins. */
function lengthBefore(parts: readonly Part[], isIt: (part: Part) => boolean): number {
  let length = 0
  for (const part of parts) {
    if (isIt(part)) break
    length += lengthOf(part)
  }
  return length
}

function lengthOf(part: Part): number {
  switch (part.kind) {
    case 'literal':
      return part.text.length
    case 'time':
      return TIME_LENGTH
    case 'uuid':
      return UUID_LENGTH
    case 'characters':
      return part.count
    default:
      return part satisfies never
  }
}

function readPart(text: string, part: string | undefined): Part {
  if (part === undefined) {
    if (text === '{' || text === '}') throw new RangeError('a brace that is not part of a pair')
    return { kind: 'literal', text }
  }
  if (part === 'uuid' || part === 'time') return { kind: part }
  const [name = '', count = ''] = part.split(':')
  if (!Object.hasOwn(ALPHABETS, name) || !/^[1-9]\d?$/.test(count)) throw new RangeError(`{${part}} is no known part`)
  return { kind: 'characters', alphabet: ALPHABETS[name as Alphabet], count: Number(count) }
}

function bitsOf(part: Part): number {
  switch (part.kind) {
    case 'literal':
    case 'time':
      return 0
    case 'uuid':
      return 122 // RFC 9562 §5.4
    case 'characters':
      return part.count * Math.log2(part.alphabet.length)
    default:
      return part satisfies never
  }
}

/** What the salt is written with: the first random characters, and as few of them as will do. */
function saltPartsOf(parts: readonly Part[]): readonly Part[] {
  const from = parts.slice(parts.findIndex(({ kind }) => kind === 'characters' || kind === 'uuid'))
  const [first] = from
  return first?.kind === 'characters' && first.count > SALT_LENGTH ? [{ ...first, count: SALT_LENGTH }] : from
}

function writeParts(parts: readonly Part[], bytes: string, unixS: number): string {
  let token = ''
  let at = 0
  for (const part of parts) {
    token += writePart(part, bytes, at, unixS)
    at += bytesOf(part)
  }
  return token
}

/** How many bytes go into it. */
function bytesOf(part: Part): number {
  if (part.kind === 'uuid') return UUID_BYTES
  return part.kind === 'characters' ? part.count : 0
}

function writePart(part: Part, bytes: string, from: number, unixS: number): string {
  switch (part.kind) {
    case 'literal':
      return part.text
    case 'time':
      return String(unixS)
    case 'uuid':
      return uuid(Buffer.from(bytes.slice(from, from + UUID_BYTES), 'latin1'))
    case 'characters': {
      const { alphabet, count } = part
      for (let at = 0; at < count; at++) {
        WRITTEN[at] = alphabet.charCodeAt(bytes.charCodeAt(from + at) % alphabet.length)
      }
      return WRITTEN.toString('latin1', 0, count)
    }
    default:
      return part satisfies never
  }
}

// Written into before each use: a token that grows by the character takes four times as long.
const WRITTEN = Buffer.alloc(99) // a count has two digits

function uuid(bytes: Buffer): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
