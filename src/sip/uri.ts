// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { lwsEnd, lwsStart, trimmed } from './lws.ts'

/*
 * What is read here is read where it stands: a text, and from where to where. Single characters are looked for with
 * indexOf(), which is ten times as fast as a loop; it looks beyond `end`, so each place is looked for once and not in a
 * loop that would make squares of it.
 */

/** A URI as far as evidence needs it; one character a byte, escapes as received. */
export interface SipUri {
  readonly scheme: string
  /** Everything before the `@`, without password and user parameters; null when there is no user. */
  readonly user: string | null
}

/** Reads `sip:`, `sips:` and `tel:` URIs, leniently. Null for any other scheme and for what is no URI. */
export function parseUri(text: string): SipUri | null {
  const start = lwsEnd(text, 0, text.length)
  const scheme = schemeAt(text, start)
  if (scheme === null) return null
  const rest = start + scheme.length + 1
  if (scheme === 'tel') return { scheme, user: telNumber(text.slice(rest)) }
  const at = text.indexOf('@', rest)
  return { scheme, user: at === -1 ? null : plainUser(text, rest, at) }
}

/**
 * The called number in a URI, escapes (`%31`) resolved: the user part without parameters (RFC 3261 §19.1.6 lets them
 * stand in it), or the number of a `tel:` URI. Null when the URI has none. One character a byte.
 */
export function calledNumber(uriText: string): string | null {
  const user = parseUri(uriText)?.user ?? null
  if (user === null || user === '') return null
  return user.includes('%') ? unescaped(user) : user
}

/**
 * The URI of a To, From or Contact value: what stands in angle brackets, or the value up to its parameters. Null when
 * a quoted name or a bracket never ends.
 */
export function addressUri(value: string): string | null {
  return addressUriAt(value, 0, value.length)
}

/** The same of a value that stands somewhere in a text. */
export function addressUriAt(text: string, start: number, end: number): string | null {
  const open = openBracket(text, start, end)
  if (open === null) return null
  if (open === -1) {
    // RFC 3261 §20: without brackets everything behind a semicolon belongs to the header. Scanners that write
    // `sip:100;x=y@host` mean the user to be 100, so look for the semicolon behind the host first.
    const bare = behindDisplayName(text, start, end)
    const semicolon = indexIn(text, ';', Math.max(bare, indexIn(text, '@', bare, end) + 1), end)
    return trimmed(text, bare, semicolon === -1 ? end : semicolon)
  }
  const close = indexIn(text, '>', open, end)
  return close === -1 ? null : text.slice(open + 1, close)
}

/** A parameter behind the URI of a To, From or Contact value: null for none, the empty string for one without a value. */
export function addressParameter(value: string, name: string): string | null {
  const place = addressParameterPlace(value, 0, value.length, name)
  return place === null ? null : value.slice(place.start, place.end)
}

/** Where the value of a parameter of an address stands whose own place in a text is given. */
export function addressParameterPlace(
  text: string,
  start: number,
  end: number,
  name: string,
): { readonly start: number; readonly end: number } | null {
  let semicolon = parametersStart(text, start, end)
  // The first quote and the first `=` from there on: looked for again only once they are behind us.
  let quote = text.indexOf('"', semicolon)
  let equals = text.indexOf('=', semicolon)
  while (semicolon !== -1) {
    const from = semicolon + 1
    semicolon = indexIn(text, ';', from, end)
    while (quote !== -1 && quote < (semicolon === -1 ? end : semicolon)) {
      const behind = quotedEnd(text, quote, end)
      if (behind === -1)
        semicolon = -1 // it takes the rest
      else if (semicolon !== -1 && semicolon < behind) semicolon = indexIn(text, ';', behind, end)
      quote = behind === -1 ? -1 : text.indexOf('"', behind)
    }
    const parameterEnd = semicolon === -1 ? end : semicolon
    if (equals !== -1 && equals < from) equals = text.indexOf('=', from)
    const nameEnd = equals === -1 || equals > parameterEnd ? parameterEnd : equals
    if (isNamed(text, from, nameEnd, name)) {
      const value = lwsEnd(text, Math.min(nameEnd + 1, parameterEnd), parameterEnd)
      return { start: value, end: lwsStart(text, value, parameterEnd) }
    }
  }
  return null
}

/** Index of the semicolon before the first parameter, or -1. */
function parametersStart(text: string, start: number, end: number): number {
  const open = openBracket(text, start, end)
  const behind = open === null || open === -1 ? indexIn(text, '@', start, end) : indexIn(text, '>', open, end)
  return indexIn(text, ';', Math.max(start, behind + 1), end)
}

/** Whether a name in small letters stands there in any case, white space around it aside. */
export function isNamed(text: string, start: number, end: number, name: string): boolean {
  const from = lwsEnd(text, start, end)
  if (lwsStart(text, from, end) - from !== name.length) return false
  for (let index = 0; index < name.length; index++) {
    const code = text.charCodeAt(from + index)
    if ((code >= 0x41 && code <= 0x5a ? code | 0x20 : code) !== name.charCodeAt(index)) return false
  }
  return true
}

/** Behind the quoted display name that some write in front of a URI without brackets. */
function behindDisplayName(text: string, start: number, end: number): number {
  const first = lwsEnd(text, start, end)
  return first < end && text.charCodeAt(first) === 0x22 ? quotedEnd(text, first, end) : start
}

/** Index of the `<` behind an optional quoted display name; -1 without one; null when the quoting never ends. */
function openBracket(text: string, start: number, end: number): number | null {
  if (start < end && text.charCodeAt(start) === 0x3c) return start
  const quote = indexIn(text, '"', start, end)
  if (quote !== start) {
    const open = indexIn(text, '<', start, end)
    if (quote === -1 || (open !== -1 && open < quote)) return open
  }
  const behind = quotedEnd(text, quote, end)
  return behind === -1 ? null : indexIn(text, '<', behind, end)
}

/** Index of the first such character in `text[from..end)`, or -1. It looks beyond `end`: once, in a loop that ends with it. */
export function indexIn(text: string, character: string, from: number, end: number): number {
  const index = text.indexOf(character, from)
  return index < end ? index : -1
}

/** Whether a word stands at the beginning of `text[start..end)`. */
export function startsWith(text: string, word: string, start: number, end: number): boolean {
  return end - start >= word.length && text.startsWith(word, start)
}

/**
 * Index behind the quoted string that begins at `start` (RFC 3261 §25.1: backslash escapes); -1 when it does not end
 * before `end`.
 */
export function quotedEnd(text: string, start: number, end = text.length): number {
  const quote = indexIn(text, '"', start + 1, end)
  // Only a quote behind a backslash may be none, and then it has to be known what the backslash stands behind.
  if (quote === -1 || text.charCodeAt(quote - 1) !== 0x5c) return quote === -1 ? -1 : quote + 1
  for (let at = start + 1; at < end; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x5c) at++
    else if (code === 0x22) return at + 1
  }
  return -1
}

function schemeAt(text: string, start: number): 'sip' | 'sips' | 'tel' | null {
  if (text.startsWith('sip:', start)) return 'sip' // as in nearly all
  for (const scheme of SCHEMES) {
    const colon = start + scheme.length
    if (text.charCodeAt(colon) === 0x3a && isNamed(text, start, colon, scheme)) return scheme
  }
  return null
}

const SCHEMES = ['sip', 'sips', 'tel'] as const

/** What stands before the `@`, up to a password or user parameters. */
function plainUser(text: string, start: number, at: number): string {
  const colon = indexIn(text, ':', start, at)
  const semicolon = indexIn(text, ';', start, colon === -1 ? at : colon)
  return trimmed(text, start, semicolon !== -1 ? semicolon : colon !== -1 ? colon : at)
}

/** RFC 3966 §3: a number with visual separators, then parameters. Separators are not dialled. */
function telNumber(rest: string): string | null {
  const end = rest.search(/[;?>]/)
  const number = (end === -1 ? rest : rest.slice(0, end)).replace(/[-.() \t]/g, '')
  return number === '' ? null : number
}

function unescaped(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
