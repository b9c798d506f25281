// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { HEADER_NUMBERS, type HeaderName } from './header-name.ts'

/**
 * The header block of a message: text with one character a byte (latin1), and where each header line's parts are in
 * it. Values are cut out when asked for, since most are never looked at.
 */
export interface HeaderBlock {
  /** `head` and what follows it in the packet, unless that is long. */
  readonly text: string
  /** From the first byte of the message up to and including the empty line; an index here is a byte offset. */
  readonly head: string
  /** Four numbers a header, in the order received: start and end of its name, start and end of its value. */
  readonly spans: readonly number[]
  /** Which well-known header each is, in the same order; null for all others. */
  readonly names: readonly (HeaderName | null)[]
  /** By the number of a well-known header: which of them is its first, or -1. */
  readonly firsts: readonly number[]
  /** A bit for the number of each whose first is not spelled as in RFC 3261. */
  readonly oddNames: number
  /** A bit for the number of each that is there more than once. */
  readonly repeated: number
  /** Whether any value goes on in a second line. */
  readonly isFolded: boolean
}

export interface SipRequest extends HeaderBlock {
  readonly kind: 'request'
  readonly method: string
  readonly requestUri: string
  /** The URI in To; null when there is none, or its quoting never ends. */
  readonly toUri: string | null
  /** Where the body begins in the packet's bytes. */
  readonly bodyStart: number
  /** Where it ends: by Content-Length, or with the packet. */
  readonly bodyEnd: number
}

export interface SipResponse extends HeaderBlock {
  readonly kind: 'response'
  readonly status: number
  readonly reasonPhrase: string
  readonly toUri: string | null
  readonly bodyStart: number
  readonly bodyEnd: number
}

/** CRLFs, nothing at all, or up to four NULs: what keeps a NAT binding open (RFC 5626 §3.5.1), and no evidence. */
export interface KeepAlive {
  readonly kind: 'keep-alive'
}

export type FaultCode =
  | 'not-sip'
  | 'bad-start-line'
  | 'bad-version'
  | 'bad-header'
  | 'missing-header'
  | 'duplicate-header'
  | 'bad-cseq'
  | 'bad-content-length'
  | 'bad-address'
  | 'bad-via'

/** What speaks on a SIP port besides SIP. */
export type OtherProtocol = 'http' | 'rtsp' | 'ssh' | 'tls' | 'binary' | 'text'

/** Bad input as a value: where it stopped, why, and what to answer if anything can be answered. */
export interface SipFault {
  readonly kind: 'fault'
  readonly code: FaultCode
  /** Byte offset into the packet. */
  readonly offset: number
  /** One line about it, free of the sender's text. */
  readonly detail: string
  /** The response that RFC 3261 asks for, if the request can be answered at all. */
  readonly status: 400 | 505
  /** What could be read all the same; null when there was not even a start line. */
  readonly message: SipRequest | SipResponse | null
}

export type ParsedPacket = SipRequest | SipResponse | KeepAlive | SipFault

/** A header as received: its own spelling of the name, and the value unfolded and trimmed. One character a byte. */
export interface SipHeader {
  readonly name: string
  readonly value: string
  readonly offset: number
}

/** Every header in order. */
export function allHeaders(block: HeaderBlock): SipHeader[] {
  return block.names.map((_, index) => headerAt(block, index))
}

/** The value of the first header of that name, or null. `Via: a` and `v: a` are the same name. */
export function headerValue(block: HeaderBlock, name: HeaderName): string | null {
  const index = firstOf(block, name)
  return index === -1 ? null : valueAt(block, index)
}

/** The values of all headers of that name, in order; a comma-separated value stays one. */
export function headerValues(block: HeaderBlock, name: HeaderName): string[] {
  const first = firstOf(block, name)
  if (first === -1) return []
  const values = [valueAt(block, first)]
  if ((block.repeated & (1 << HEADER_NUMBERS[name])) === 0) return values
  for (let index = block.names.indexOf(name, first + 1); index !== -1; index = block.names.indexOf(name, index + 1)) {
    values.push(valueAt(block, index))
  }
  return values
}

/** The first header of that name, or null. */
export function header(block: HeaderBlock, name: HeaderName): SipHeader | null {
  const index = firstOf(block, name)
  return index === -1 ? null : headerAt(block, index)
}

/** Some text, and where in it the thing is that is meant. */
export interface TextPlace {
  readonly text: string
  readonly start: number
  readonly end: number
}

/** Where the value of a header stands that is there: to read it without cutting it out. */
export function valuePlace(block: HeaderBlock, index: number): TextPlace {
  const text = block.isFolded ? valueAt(block, index) : block.text
  const start = block.isFolded ? 0 : (block.spans[index * 4 + 2] ?? 0)
  const end = block.isFolded ? text.length : (block.spans[index * 4 + 3] ?? 0)
  return { text, start, end }
}

function firstOf({ firsts }: HeaderBlock, name: HeaderName): number {
  return firsts[HEADER_NUMBERS[name]] ?? -1
}

function headerAt(block: HeaderBlock, index: number): SipHeader {
  const start = block.spans[index * 4] ?? 0
  return { name: block.head.slice(start, block.spans[index * 4 + 1]), value: valueAt(block, index), offset: start }
}

function valueAt(block: HeaderBlock, index: number): string {
  const value = block.head.slice(block.spans[index * 4 + 2], block.spans[index * 4 + 3])
  // RFC 3261 §7.3.1: a line that begins with white space continues the one before; the break reads as one space.
  return block.isFolded && value.includes('\n') ? value.replace(/\r?\n[ \t]+/g, ' ') : value
}
