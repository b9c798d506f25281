// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { trimLws } from './lws.ts'
import { quotedEnd } from './uri.ts'

/** The topmost hop of a Via value: `SIP/2.0/UDP host:port;params`, and what follows the comma behind it. */
export interface Via {
  /** `SIP/2.0/UDP`, white space around the slashes as received. */
  readonly protocol: string
  /** Host and optional port as received. */
  readonly sentBy: string
  /** Without the semicolons, in order, trimmed. */
  readonly parameters: readonly string[]
  /** The rest of a comma-separated value, or null. */
  readonly next: string | null
}

const HOP = /^([^ \t/;,]+[ \t]*\/[ \t]*[^ \t/;,]+[ \t]*\/[ \t]*[^ \t/;,]+)[ \t]+([^ \t;,][^;,]*)/

/** Null when the value does not begin with a hop. Linear; quoted strings may hold commas and semicolons. */
export function parseVia(value: string): Via | null {
  const hop = HOP.exec(value)
  if (hop?.[1] === undefined || hop[2] === undefined) return null
  const parameters: string[] = []
  let at = hop[0].length
  let from = at
  const close = (end: number) => {
    const parameter = trimLws(value.slice(from, end))
    if (parameter !== '') parameters.push(parameter)
  }
  for (; at < value.length; at++) {
    const character = value[at]
    if (character === '"') {
      const end = quotedEnd(value, at)
      if (end === -1) return null
      at = end - 1
    } else if (character === ';') {
      close(at)
      from = at + 1
    } else if (character === ',') break
  }
  close(at)
  const next = trimLws(value.slice(at + 1))
  return { protocol: hop[1], sentBy: trimLws(hop[2]), parameters, next: next === '' ? null : next }
}

/**
 * The Via values for a response: those of the request, the topmost with `received` where the packet did not come from
 * its sent-by host (RFC 3261 §18.2.1) or `rport` was asked for, and `rport` filled in (RFC 3581 §4). What the sender
 * wrote there himself is replaced. With `isLean` a `received` that says what sent-by says already is left out.
 */
export function answeredVia(values: readonly string[], sourceIp: string, sourcePort: number, isLean = false): string[] {
  const [first = '', ...others] = values
  const via = parseVia(first)
  if (via === null) return [...values]
  const wantsPort = via.parameters.some((parameter) => isNamed(parameter, 'rport'))
  const kept = via.parameters.filter((parameter) => !isNamed(parameter, 'received') && !isNamed(parameter, 'rport'))
  if (wantsPort) kept.push(`rport=${sourcePort}`)
  if ((wantsPort && !isLean) || sentByHost(via.sentBy) !== sourceIp) kept.push(`received=${sourceIp}`)
  const hop = [`${via.protocol} ${via.sentBy}`, ...kept].join(';')
  return [via.next === null ? hop : `${hop}, ${via.next}`, ...others]
}

/** The value of a parameter of the topmost hop, the empty string for one without a value, null for none. */
export function viaParameter(via: Via, name: string): string | null {
  const parameter = via.parameters.find((candidate) => isNamed(candidate, name))
  if (parameter === undefined) return null
  const equals = parameter.indexOf('=')
  return equals === -1 ? '' : trimLws(parameter.slice(equals + 1))
}

function isNamed(parameter: string, name: string): boolean {
  const equals = parameter.indexOf('=')
  return trimLws(equals === -1 ? parameter : parameter.slice(0, equals)).toLowerCase() === name
}

function sentByHost(sentBy: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(sentBy)
  if (bracketed?.[1] !== undefined) return bracketed[1].toLowerCase()
  const colon = sentBy.indexOf(':')
  return colon === -1 ? sentBy : trimLws(sentBy.slice(0, colon))
}
