// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// The headers that something here reads, each with the spelling that RFC 3261 has. All others are kept as received.
const SPELLINGS = {
  accept: 'Accept',
  authorization: 'Authorization',
  'call-id': 'Call-ID',
  contact: 'Contact',
  'content-length': 'Content-Length',
  'content-type': 'Content-Type',
  cseq: 'CSeq',
  event: 'Event',
  expires: 'Expires',
  from: 'From',
  'max-forwards': 'Max-Forwards',
  'proxy-authorization': 'Proxy-Authorization',
  'record-route': 'Record-Route',
  require: 'Require',
  subject: 'Subject',
  supported: 'Supported',
  to: 'To',
  'user-agent': 'User-Agent',
  via: 'Via',
} as const

/** A well-known header, in lower case. */
export type HeaderName = keyof typeof SPELLINGS

/** All of them; the place of a name in this list is its number. */
export const HEADER_NAMES = Object.keys(SPELLINGS) as readonly HeaderName[] // the keys of that literal, and no others

/** The number of each: an index into HEADER_NAMES, and below 32, so that a set of headers is one integer. */
export const HEADER_NUMBERS = Object.fromEntries(HEADER_NAMES.map((name, number) => [name, number])) as Readonly<
  Record<HeaderName, number>
>

/** Added to the number of a header whose name is not spelled as in RFC 3261: compact, or in other letters. */
export const ODDLY_SPELLED = 32

// RFC 3261 §7.3.3 and the IANA registry of compact forms, as far as the names above have one.
const COMPACT: Readonly<Record<string, HeaderName>> = {
  c: 'content-type',
  f: 'from',
  i: 'call-id',
  k: 'supported',
  l: 'content-length',
  m: 'contact',
  o: 'event',
  s: 'subject',
  t: 'to',
  v: 'via',
}

/** A name to compare with, byte by byte. */
interface Candidate {
  readonly number: number
  readonly spelling: Uint8Array
  /** Each letter in its other case. */
  readonly otherCase: Uint8Array
}

const LONGEST = Math.max(...HEADER_NAMES.map((name) => name.length))

// Candidates by length and first letter, so that a name is compared with one or two others and never lower-cased.
const BUCKETS: readonly (readonly Candidate[])[] = bucketed(HEADER_NAMES)
const COMPACT_BY_LETTER: readonly number[] = Array.from({ length: 32 }, (_, letter) => {
  const name = COMPACT[String.fromCharCode(0x60 + letter)]
  return name === undefined ? -1 : HEADER_NUMBERS[name] + ODDLY_SPELLED
})

/**
 * The number of the well-known header that stands at `bytes[start..end)` in any case or compact form, plus
 * ODDLY_SPELLED where it is; -1 for any other.
 */
export function headerNumber(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (length === 0 || length > LONGEST) return -1
  const first = bytes[start] ?? 0
  if ((first | 0x20) < 0x61 || (first | 0x20) > 0x7a) return -1
  if (length === 1) return COMPACT_BY_LETTER[first & 31] ?? -1
  for (const candidate of BUCKETS[bucketOf(length, first)] ?? []) {
    const number = compared(bytes, start, candidate)
    if (number !== -1) return number
  }
  return -1
}

function bucketed(names: readonly HeaderName[]): Candidate[][] {
  const buckets = Array.from({ length: (LONGEST + 1) * 32 }, (): Candidate[] => [])
  for (const [number, name] of names.entries()) {
    const spelling = Buffer.from(SPELLINGS[name], 'latin1')
    const otherCase = spelling.map((code) => (isLetter(code) ? code ^ 0x20 : code))
    buckets[bucketOf(name.length, spelling[0] ?? 0)]?.push({ number, spelling, otherCase })
  }
  return buckets
}

function isLetter(code: number): boolean {
  return (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a
}

function bucketOf(length: number, firstLetter: number): number {
  return length * 32 + (firstLetter & 31)
}

/** ASCII only: SIP header names are tokens (RFC 3261 §25.1). */
function compared(bytes: Uint8Array, start: number, { number, spelling, otherCase }: Candidate): number {
  let spelled = number
  for (let index = 0; index < spelling.length; index++) {
    const code = bytes[start + index]
    if (code === spelling[index]) continue
    if (code !== otherCase[index]) return -1
    spelled = number + ODDLY_SPELLED
  }
  return spelled
}
