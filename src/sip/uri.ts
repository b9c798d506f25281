// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { trimLws } from './lws.ts'

/** A URI as far as evidence needs it; one character a byte, escapes as received. */
export interface SipUri {
  readonly scheme: string
  /** Everything before the `@`, without password and user parameters; null when there is no user. */
  readonly user: string | null
}

const SCHEME = /^[ \t]*(sips?|tel):/i

/** Reads `sip:`, `sips:` and `tel:` URIs, leniently. Null for any other scheme and for what is no URI. */
export function parseUri(text: string): SipUri | null {
  const match = SCHEME.exec(text)
  if (match?.[1] === undefined) return null
  const scheme = match[1].toLowerCase()
  const rest = text.slice(match[0].length)
  if (scheme === 'tel') return { scheme, user: telNumber(rest) }
  const at = rest.indexOf('@')
  return { scheme, user: at === -1 ? null : plainUser(rest.slice(0, at)) }
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
  const open = openBracket(value)
  if (open === null) return null
  if (open === -1) {
    // RFC 3261 §20: without brackets everything behind a semicolon belongs to the header. Scanners that write
    // `sip:100;x=y@host` mean the user to be 100, so look for the semicolon behind the host first.
    const bare = behindDisplayName(value)
    const end = bare.indexOf(';', bare.indexOf('@') + 1)
    return trimLws(end === -1 ? bare : bare.slice(0, end))
  }
  const close = value.indexOf('>', open)
  return close === -1 ? null : value.slice(open + 1, close)
}

/** A parameter behind the URI of a To, From or Contact value: null for none, the empty string for one without a value. */
export function addressParameter(value: string, name: string): string | null {
  const text = addressParameters(value)
  let from = 1
  for (let at = 1; at <= text.length; at++) {
    const character = text[at]
    if (character === '"') {
      const end = quotedEnd(text, at)
      at = end === -1 ? text.length - 1 : end - 1
    } else if (character === ';' || at === text.length) {
      const equals = text.slice(from, at).indexOf('=')
      const nameEnd = equals === -1 ? at : from + equals
      if (trimLws(text.slice(from, nameEnd)).toLowerCase() === name) return trimLws(text.slice(nameEnd + 1, at))
      from = at + 1
    }
  }
  return null
}

/** With their leading semicolon, or the empty string. */
function addressParameters(value: string): string {
  const open = openBracket(value)
  const from = open === null || open === -1 ? value.indexOf('@') + 1 : value.indexOf('>', open) + 1
  const semicolon = value.indexOf(';', from)
  return semicolon === -1 ? '' : value.slice(semicolon)
}

/** Without the quoted display name that some write in front of a URI without brackets. */
function behindDisplayName(value: string): string {
  return /^[ \t]*"/.test(value) ? value.slice(quotedEnd(value, value.indexOf('"'))) : value
}

/** Index of the `<` behind an optional quoted display name; -1 without one; null when the quoting never ends. */
function openBracket(value: string): number | null {
  const open = value.indexOf('<')
  const quote = value.indexOf('"')
  if (quote === -1 || (open !== -1 && open < quote)) return open
  const end = quotedEnd(value, quote)
  return end === -1 ? null : value.indexOf('<', end)
}

/** Index behind the quoted string that begins at `start` (RFC 3261 §25.1: backslash escapes); -1 when it never ends. */
export function quotedEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (character === 0x5c) at++
    else if (character === 0x22) return at + 1
  }
  return -1
}

function plainUser(userinfo: string): string {
  const end = userinfo.search(/[:;]/)
  return trimLws(end === -1 ? userinfo : userinfo.slice(0, end))
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
