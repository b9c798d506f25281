// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** The headers that something here reads, in lower case. All others are kept as received. */
export const HEADER_NAMES = [
  'accept',
  'authorization',
  'call-id',
  'contact',
  'content-length',
  'content-type',
  'cseq',
  'event',
  'expires',
  'from',
  'max-forwards',
  'proxy-authorization',
  'record-route',
  'require',
  'subject',
  'supported',
  'to',
  'user-agent',
  'via',
] as const

export type HeaderName = (typeof HEADER_NAMES)[number]

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

// Candidates by length and first letter, so that a name is compared with one or two others and never lower-cased.
const BUCKETS: readonly (readonly HeaderName[])[] = bucketed(HEADER_NAMES)
const COMPACT_BY_LETTER: readonly (HeaderName | null)[] = Array.from(
  { length: 32 },
  (_, letter) => COMPACT[String.fromCharCode(0x60 + letter)] ?? null,
)

/** Which well-known header stands at `head[start..end)`, in any case or compact form; null for any other. */
export function headerName(head: string, start: number, end: number): HeaderName | null {
  const first = head.charCodeAt(start)
  if ((first | 0x20) < 0x61 || (first | 0x20) > 0x7a) return null
  if (end - start === 1) return COMPACT_BY_LETTER[first & 31] ?? null
  for (const candidate of BUCKETS[bucketOf(end - start, first)] ?? []) {
    if (sameIgnoringCase(head, start, candidate)) return candidate
  }
  return null
}

function bucketed(names: readonly HeaderName[]): HeaderName[][] {
  const buckets: HeaderName[][] = []
  for (const name of names) {
    const bucket = bucketOf(name.length, name.charCodeAt(0))
    buckets[bucket] = [...(buckets[bucket] ?? []), name]
  }
  return Array.from(buckets, (bucket) => bucket ?? [])
}

function bucketOf(length: number, firstLetter: number): number {
  return length * 32 + (firstLetter & 31)
}

/** ASCII only: SIP header names are tokens (RFC 3261 §25.1). */
function sameIgnoringCase(head: string, start: number, lower: string): boolean {
  for (let index = 0; index < lower.length; index++) {
    const code = head.charCodeAt(start + index)
    const folded = code >= 0x41 && code <= 0x5a ? code | 0x20 : code
    if (folded !== lower.charCodeAt(index)) return false
  }
  return true
}
