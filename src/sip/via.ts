// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { lwsEnd, trimLws, trimmed } from './lws.ts'
import { isNamed, quotedEnd } from './uri.ts'

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

const USUAL = 'SIP/2.0/UDP ' // what nearly all begin with, up to the white space behind it

/** Null when the value does not begin with a hop. Linear; quoted strings may hold commas and semicolons. */
export function parseVia(value: string): Via | null {
  const protocolEnd = hopProtocolEnd(value, 0, value.length)
  const sentByStart = sentByIn(value, protocolEnd, value.length)
  if (sentByStart === -1) return null
  const parameters: string[] = []
  let at = sentByStart
  while (at < value.length && !isDelimiter(value.charCodeAt(at))) at++
  const sentBy = trimmed(value, sentByStart, at)
  let from = at
  const close = (end: number) => {
    const parameter = trimmed(value, from, end)
    if (parameter !== '') parameters.push(parameter)
  }
  for (; at < value.length; at++) {
    const code = value.charCodeAt(at)
    if (code === 0x22) {
      const end = quotedEnd(value, at)
      if (end === -1) return null
      at = end - 1
    } else if (code === 0x3b) {
      close(at)
      from = at + 1
    } else if (code === 0x2c) break
  }
  close(at)
  const next = trimLws(value.slice(at + 1))
  return { protocol: value.slice(0, protocolEnd), sentBy, parameters, next: next === '' ? null : next }
}

/** Whether `parseVia` would read that value of a text. */
export function isVia(text: string, start: number, end: number): boolean {
  const protocolEnd = hopProtocolEnd(text, start, end)
  if (sentByIn(text, protocolEnd, end) === -1) return false
  const quote = text.indexOf('"', protocolEnd)
  return quote === -1 || quote >= end || parseVia(text.slice(start, end)) !== null // only quotes make it fail further on
}

/** Index behind `SIP / 2.0 / UDP`, three words with slashes between them; -1 when there are none. */
function hopProtocolEnd(text: string, start: number, end: number): number {
  if (end - start > USUAL.length && text.startsWith(USUAL, start)) return start + USUAL.length - 1
  let at = start
  for (let word = 1; ; word++) {
    const wordStart = at
    while (at < end && isWord(text.charCodeAt(at))) at++
    if (at === wordStart) return -1
    if (word === 3) return at
    at = lwsEnd(text, at, end)
    if (at === end || text.charCodeAt(at) !== 0x2f) return -1
    at = lwsEnd(text, at + 1, end)
  }
}

/** Index of what follows the protocol: white space, then something that is no delimiter. -1 when it does not. */
function sentByIn(text: string, protocolEnd: number, end: number): number {
  if (protocolEnd === -1) return -1
  const start = lwsEnd(text, protocolEnd, end)
  return start > protocolEnd && start < end && !isDelimiter(text.charCodeAt(start)) ? start : -1
}

function isWord(code: number): boolean {
  return code !== 0x20 && code !== 0x09 && code !== 0x2f && !isDelimiter(code)
}

function isDelimiter(code: number): boolean {
  return code === 0x3b || code === 0x2c
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
  const wantsPort = via.parameters.some((parameter) => hasName(parameter, 'rport'))
  const kept = via.parameters.filter((parameter) => !hasName(parameter, 'received') && !hasName(parameter, 'rport'))
  if (wantsPort) kept.push(`rport=${sourcePort}`)
  if ((wantsPort && !isLean) || sentByHost(via.sentBy) !== sourceIp) kept.push(`received=${sourceIp}`)
  const hop = [`${via.protocol} ${via.sentBy}`, ...kept].join(';')
  return [via.next === null ? hop : `${hop}, ${via.next}`, ...others]
}

/** The value of a parameter of the topmost hop, the empty string for one without a value, null for none. */
export function viaParameter(via: Via, name: string): string | null {
  const parameter = via.parameters.find((candidate) => hasName(candidate, name))
  if (parameter === undefined) return null
  const equals = parameter.indexOf('=')
  return equals === -1 ? '' : trimLws(parameter.slice(equals + 1))
}

function hasName(parameter: string, name: string): boolean {
  const equals = parameter.indexOf('=')
  return isNamed(parameter, 0, equals === -1 ? parameter.length : equals, name)
}

function sentByHost(sentBy: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(sentBy)
  if (bracketed?.[1] !== undefined) return bracketed[1].toLowerCase()
  const colon = sentBy.indexOf(':')
  return colon === -1 ? sentBy : trimLws(sentBy.slice(0, colon))
}
