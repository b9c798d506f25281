// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { getHashes, hash } from 'node:crypto'
import { lwsEnd, trimLws } from './lws.ts'
import { quotedEnd } from './uri.ts'

/*
 * Digest authentication of SIP: RFC 3261 §22, RFC 7616 and RFC 8760. We ask, and we find out whether an answer was made
 * with a given password. All text has one character a byte.
 */

/** What we offer. */
export type DigestAlgorithm = 'MD5' | 'SHA-256'

/** What an Authorization or Proxy-Authorization header holds: quotes and escapes are gone, one character a byte. */
export interface DigestCredentials {
  readonly username: string
  readonly realm: string
  readonly nonce: string
  readonly uri: string
  readonly response: string
  /** As sent; `MD5` when none was. */
  readonly algorithm: string
  readonly qop: string | null
  readonly cnonce: string | null
  readonly nc: string | null
  readonly opaque: string | null
}

export type ChallengeParameter = 'realm' | 'nonce' | 'opaque' | 'algorithm' | 'qop' | 'stale'

/** How a product writes its challenges. */
export interface ChallengeStyle {
  readonly separator: ', ' | ','
  /** What is not in the order is not written, but an algorithm other than MD5, which comes last then. */
  readonly order: readonly ChallengeParameter[]
  /** Behind `Digest`; PJSIP writes two spaces. */
  readonly gap?: ' ' | '  '
  /** Older PJSIP writes it in lower case. */
  readonly md5?: 'MD5' | 'md5'
}

export interface DigestChallenge {
  readonly realm: string
  readonly nonce: string
  readonly algorithm: DigestAlgorithm
  /** Whether to offer `auth` (RFC 3261 §22.4 wants it). */
  readonly qop: boolean
  readonly opaque: string | null
  /** The nonce was a good one but is too old: the client may go on with the same password. */
  readonly stale: boolean
  readonly style: ChallengeStyle
}

const NAMES = new Set(
  'username username* realm nonce uri response algorithm qop cnonce nc opaque'.split(' '), // RFC 7616 §3.4
)

const HASHES = offeredHashes()

/**
 * Reads the value of an Authorization or Proxy-Authorization header; null when it is no Digest or lacks username, nonce
 * or response. Lenient: values need no quotes, the first of two parameters counts, and the other parameters that are
 * missing read as empty. Linear in its length.
 */
export function parseDigestCredentials(value: string): DigestCredentials | null {
  const start = lwsEnd(value, 0, value.length)
  if (!/^digest[ \t]/i.test(value.slice(start, start + 7))) return null
  const found = readParameters(value, start + 7)
  const username = found.get('username') ?? extendedValue(found.get('username*'))
  const nonce = found.get('nonce')
  const response = found.get('response')
  if (username === undefined || nonce === undefined || response === undefined) return null
  return {
    username,
    realm: found.get('realm') ?? '',
    nonce,
    uri: found.get('uri') ?? '',
    response,
    algorithm: found.get('algorithm') ?? 'MD5', // RFC 7616 §3.3
    qop: found.get('qop') ?? null,
    cnonce: found.get('cnonce') ?? null,
    nc: found.get('nc') ?? null,
    opaque: found.get('opaque') ?? null,
  }
}

/** Whether a response can be the digest of anything: as long as one of MD5 or of a 256-bit hash, in hexadecimal. */
export function isDigestResponse(response: string): boolean {
  return /^[0-9a-f]{32}(?:[0-9a-f]{32})?$/i.test(response)
}

/** The value of a WWW-Authenticate or Proxy-Authenticate header. */
export function challengeValue(challenge: DigestChallenge): string {
  return createChallengeText(challenge)(challenge.nonce, challenge.opaque)
}

/** The same for many challenges that differ in their nonce and opaque alone; null as `opaque` leaves it out. */
export function createChallengeText({
  realm,
  algorithm,
  qop,
  stale,
  style,
}: Omit<DigestChallenge, 'nonce' | 'opaque'>): (nonce: string, opaque: string | null) => string {
  const { separator, order, gap = ' ', md5 = 'MD5' } = style
  const fixed: Readonly<Record<ChallengeParameter, string | null>> = {
    realm: `realm=${quoted(realm)}`,
    nonce: '',
    opaque: '',
    algorithm: `algorithm=${algorithm === 'MD5' ? md5 : algorithm}`,
    qop: qop ? 'qop="auth"' : null,
    stale: stale ? 'stale=true' : null,
  }
  // Without its name a client takes MD5, and its answer could never be right.
  const unnamed = algorithm !== 'MD5' && !order.includes('algorithm')
  const written = (unnamed ? ([...order, 'algorithm'] as const) : order).filter((name) => fixed[name] !== null)
  return (nonce, opaque) => {
    let text = ''
    for (const name of written) {
      if (name === 'opaque' && opaque === null) continue
      if (text !== '') text += separator
      if (name === 'nonce') text += `nonce=${quoted(nonce)}`
      else if (name === 'opaque') text += `opaque=${quoted(opaque ?? '')}`
      else text += fixed[name]
    }
    return `Digest${gap}${text}`
  }
}

/**
 * Makes the predicate for many passwords of one request: what does not depend on the password is computed once. No
 * password is right when the algorithm is unknown or the response has not its length.
 */
export function createPasswordCheck(
  credentials: DigestCredentials,
  method: string,
  body: Buffer,
): (password: string) => boolean {
  const algorithm = credentials.algorithm.toLowerCase()
  const isSession = algorithm.endsWith('-sess')
  const name = HASHES.get(isSession ? algorithm.slice(0, -5) : algorithm)
  if (name === undefined) return () => false
  const digest = (text: string): string => hash(name, isAscii(text) ? text : Buffer.from(text, 'latin1'))

  const { username, realm, nonce, cnonce } = credentials
  const response = credentials.response.toLowerCase()
  const tails = responseTails(credentials, method, () => hash(name, body), digest)
  if (response.length !== tails.hexDigits) return () => false
  const first = `${username}:${realm}:`
  const ofSession = `:${nonce}:${cnonce ?? ''}` // RFC 7616 §3.4.2
  return (password) => {
    const secret = digest(first + password)
    const start = isSession ? digest(secret + ofSession) : secret
    return tails.texts.some((tail) => digest(start + tail) === response)
  }
}

/** What follows the password's hash in the text whose hash is the response, in each form that the client may mean. */
function responseTails(
  { nonce, uri, qop, cnonce, nc }: DigestCredentials,
  method: string,
  bodyHash: () => string,
  digest: (text: string) => string,
): { readonly texts: readonly string[]; readonly hexDigits: number } {
  const plain = digest(`${method}:${uri}`)
  // RFC 2069, where there is no qop. Scanners write qop=auth and compute this all the same.
  const texts = [`:${nonce}:${plain}`]
  if (qop !== null && cnonce !== null && nc !== null) {
    const last = qop.toLowerCase() === 'auth-int' ? digest(`${method}:${uri}:${bodyHash()}`) : plain
    texts.unshift(`:${nonce}:${nc}:${cnonce}:${qop}:${last}`) // RFC 7616 §3.4.1
  }
  return { texts, hexDigits: plain.length }
}

/** OpenSSL's names by ours (RFC 7616 §3.2). A build may leave some out, such as MD5 in FIPS mode: hash() would throw. */
function offeredHashes(): Map<string, string> {
  const offered = getHashes()
  const rows = [
    ['md5', 'md5'],
    ['sha-256', 'sha256'],
    ['sha-512-256', 'sha512-256'],
  ] as const
  return new Map(rows.filter(([, name]) => offered.includes(name)))
}

/** The parameters that we know, by their names in lower case. */
function readParameters(value: string, start: number): Map<string, string> {
  const found = new Map<string, string>()
  for (let at = start; at < value.length; ) {
    const nameEnd = endOfName(value, at)
    if (value[nameEnd] !== '=') {
      at = nameEnd + 1 // no parameter, or the comma behind the last one
      continue
    }
    const name = trimLws(value.slice(at, nameEnd)).toLowerCase()
    const valueStart = lwsEnd(value, nameEnd + 1, value.length)
    const isQuoted = value[valueStart] === '"'
    const end = isQuoted ? quotedEnd(value, valueStart) : value.indexOf(',', valueStart)
    at = end === -1 ? value.length : end
    if (!NAMES.has(name) || found.has(name)) continue
    found.set(name, isQuoted ? unquoted(value, valueStart, end) : trimLws(value.slice(valueStart, at)))
  }
  return found
}

/** Index of the next `=` or comma. */
function endOfName(value: string, start: number): number {
  let at = start
  while (at < value.length && value[at] !== '=' && value[at] !== ',') at++
  return at
}

/** Without quotes and backslashes (RFC 3261 §25.1). A string that never ends takes the rest. */
function unquoted(value: string, start: number, end: number): string {
  const text = value.slice(start + 1, end === -1 ? value.length : end - 1)
  return text.includes('\\') ? text.replace(/\\([\s\S])/g, '$1') : text
}

/** `UTF-8''J%C3%A4s%C3%B8n` (RFC 7616 §3.4, RFC 8187 §3.2); what has no charset in front is read as well. */
function extendedValue(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const encoded = text.slice(text.indexOf("'", text.indexOf("'") + 1) + 1)
  return encoded.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** A realm may come from a request: no control character of it may end the header. */
function quoted(text: string): string {
  if (!/[\x00-\x1f\x7f"\\]/.test(text)) return `"${text}"`
  return `"${text.replace(/[\x00-\x1f\x7f]/g, '').replace(/["\\]/g, '\\$&')}"`
}

function isAscii(text: string): boolean {
  return /^[\x00-\x7f]*$/.test(text)
}
