// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { CREDENTIAL_PARAMETERS, HEADER_LINES, METHODS, RUNS, SDP_LINES, TOKENS } from './dictionary.ts'
import type { Random } from './random.ts'

/*
 * Damages messages in ways that a parser of SIP may have an opinion on: first line by line, where the message still has
 * lines, then in its text. All text here has one character a byte.
 */

export interface Mutator {
  /** A message of the corpus with some things done to it. */
  any(): Buffer
  /** This message with a few things done to it. */
  damaged(text: string): Buffer
}

const MAX_BYTES = 65_507 // what fits in a datagram over IPv4
const HUGE_ONCE_IN = 400 // chosen: a huge input costs a hundred times that of a usual one

export function createMutator(random: Random, corpus: readonly Buffer[]): Mutator {
  const [first, ...others] = corpus.map((bytes) => bytes.toString('latin1'))
  if (first === undefined) throw new RangeError('there is no message to begin with')
  const texts = [first, ...others] as const

  function damagedBy(text: string, times: number): Buffer {
    const draft = draftOf(text)
    const ofLines = random.below(times + 1)
    for (let time = 0; time < ofLines; time++) random.pick(REWRITES)(draft, random)
    let damaged = ofLines === 0 ? text : textOf(draft)
    for (let time = ofLines; time < times; time++) damaged = random.pick(DAMAGES)(damaged, random, texts)
    if (random.oneIn(HUGE_ONCE_IN)) damaged = withRun(damaged, random)
    return Buffer.from(damaged.length > MAX_BYTES ? damaged.slice(0, MAX_BYTES) : damaged, 'latin1')
  }

  return {
    any: () => damagedBy(random.pick(texts), random.below(6)),
    damaged: (text) => damagedBy(text, 1 + random.below(3)),
  }
}

/** A message in pieces: the start line and the headers, each without its line end, and the body. */
interface Draft {
  readonly lines: string[]
  body: string
}

function draftOf(text: string): Draft {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd === -1) return { lines: text.split('\r\n'), body: '' }
  return { lines: text.slice(0, headEnd).split('\r\n'), body: text.slice(headEnd + 4) }
}

function textOf({ lines, body }: Draft): string {
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

type Rewrite = (draft: Draft, random: Random) => void

const REWRITES: readonly [Rewrite, ...Rewrite[]] = [
  repeatLine,
  dropLine,
  swapLines,
  addLine,
  addLine,
  replaceLine,
  renameHeader,
  changeValue,
  changeValue,
  addToValue,
  foldLine,
  changeMethod,
  changeCredentials,
  changeCredentials,
  changeSdp,
  changeSdp,
  changeLength,
  joinLines,
]

function lineAt({ lines }: Draft, random: Random): number {
  return lines.length < 2 ? 0 : 1 + random.below(lines.length - 1) // not the start line, where there are others
}

function repeatLine(draft: Draft, random: Random): void {
  const line = draft.lines[lineAt(draft, random)] ?? ''
  const copies = random.oneIn(20) ? 200 : 1
  draft.lines.splice(lineAt(draft, random), 0, ...Array.from({ length: copies }, () => line))
}

function dropLine(draft: Draft, random: Random): void {
  draft.lines.splice(lineAt(draft, random), 1)
}

function swapLines(draft: Draft, random: Random): void {
  const [one, other] = [lineAt(draft, random), random.below(draft.lines.length)]
  const line = draft.lines[one] ?? ''
  draft.lines[one] = draft.lines[other] ?? ''
  draft.lines[other] = line
}

function addLine(draft: Draft, random: Random): void {
  draft.lines.splice(lineAt(draft, random), 0, random.pick(HEADER_LINES))
}

function replaceLine(draft: Draft, random: Random): void {
  const at = lineAt(draft, random)
  const name = nameOf(draft.lines[at] ?? '')
  const alike = HEADER_LINES.filter((line) => nameOf(line) === name)
  draft.lines[at] = alike[random.below(alike.length)] ?? random.pick(HEADER_LINES)
}

function nameOf(line: string): string {
  return line.slice(0, Math.max(0, line.indexOf(':'))).toLowerCase()
}

const SPELLINGS: readonly [(name: string) => string, ...((name: string) => string)[]] = [
  (name) => name.toUpperCase(),
  (name) => name.toLowerCase(),
  (name) => name.slice(0, 1),
  (name) => `${name} \t`,
  (name) => ` ${name}`,
  (name) => `${name}\0`,
  () => '',
]

function renameHeader(draft: Draft, random: Random): void {
  const at = lineAt(draft, random)
  const line = draft.lines[at] ?? ''
  const colon = Math.max(0, line.indexOf(':'))
  draft.lines[at] = random.pick(SPELLINGS)(line.slice(0, colon)) + line.slice(colon)
}

function changeValue(draft: Draft, random: Random): void {
  const at = lineAt(draft, random)
  const line = draft.lines[at] ?? ''
  draft.lines[at] = inserted(line, random.pick(TOKENS), line.indexOf(':') + 1, random)
}

function addToValue(draft: Draft, random: Random): void {
  const at = lineAt(draft, random)
  draft.lines[at] += random.pick([';', ',', ' ', ';x=', '']) + random.pick(TOKENS)
}

function foldLine(draft: Draft, random: Random): void {
  const at = lineAt(draft, random)
  draft.lines[at] = inserted(draft.lines[at] ?? '', random.pick(['\r\n ', '\r\n\t', '\n ', '\r ', '\r\n']), 0, random)
}

/** In the start line, and mostly in CSeq too. */
function changeMethod(draft: Draft, random: Random): void {
  const method = random.pick(METHODS)
  draft.lines[0] = (draft.lines[0] ?? '').replace(/^[^ ]*/, () => method)
  if (random.oneIn(4)) return
  const at = draft.lines.findIndex((line) => nameOf(line) === 'cseq')
  if (at !== -1) draft.lines[at] = (draft.lines[at] ?? '').replace(/[^ ]*$/, () => method)
}

function changeCredentials(draft: Draft, random: Random): void {
  const { lines } = draft
  const found = lines.findIndex((line) => nameOf(line).endsWith('authorization'))
  const name = random.pick(['Authorization', 'Proxy-Authorization', 'AUTHORIZATION'])
  const at = found === -1 ? lines.push(`${name}: Digest username="100"`) - 1 : found
  const parts = (lines[at] ?? '').split(',')
  const place = random.below(parts.length)
  parts.splice(place, random.below(2), random.pick(CREDENTIAL_PARAMETERS))
  lines[at] = parts.join(random.pick([',', ', ', ',', ',,', ' , ']))
}

function changeSdp(draft: Draft, random: Random): void {
  const lines = draft.body.split('\r\n')
  const at = random.below(lines.length)
  const copies = random.oneIn(30) ? 300 : 1
  lines.splice(at, random.below(2), ...Array.from({ length: copies }, () => random.pick(SDP_LINES)))
  draft.body = lines.join('\r\n')
  if (!random.oneIn(3)) setLength(draft, draft.body.length)
}

function changeLength(draft: Draft, random: Random): void {
  setLength(draft, draft.body.length + random.pick([0, 0, 1, -1, 4, 100, 70_000]))
}

function setLength(draft: Draft, bytes: number): void {
  const at = draft.lines.findIndex((line) => nameOf(line) === 'content-length')
  draft.lines[at === -1 ? draft.lines.length : at] = `Content-Length: ${bytes}`
}

function joinLines(draft: Draft, random: Random): void {
  const at = lineAt(draft, random)
  draft.lines.splice(
    at,
    2,
    `${draft.lines[at] ?? ''}${random.pick(['\n', '\r', '', '\r\r\n', '\n\r'])}${draft.lines[at + 1] ?? ''}`,
  )
}

type Damage = (text: string, random: Random, texts: readonly [string, ...string[]]) => string

const DAMAGES: readonly [Damage, ...Damage[]] = [
  (text, random) => changedAt(text, random, 1, String.fromCharCode(random.below(256))),
  (text, random) => changedAt(text, random, 0, random.pick(TOKENS)),
  (text, random) => changedAt(text, random, 1 + random.below(8), random.pick(TOKENS)),
  (text, random) => changedAt(text, random, 1 + random.below(40), ''),
  (text, random) => text.slice(0, random.below(text.length + 1)),
  repeatPart,
  spliceOther,
  (text, random) => changedAt(text, random, 0, random.pick(RUNS).repeat(2 + random.below(60))),
  (text, random) => text.replaceAll('\r\n', random.pick(['\n', '\r', '\n\r', '\r\n', '\r\r\n'])),
  (text, random, texts) => text + random.pick(['', '\r\n', '\r\n\r\n', '\0']) + random.pick(texts),
  (text, random) => random.pick(['\r\n', '\n', '\0', ' ', '\r\n\r\n', '\xef\xbb\xbf', '\x16\x03']) + text,
  escapePart,
  inOtherEncoding,
]

function changedAt(text: string, random: Random, cut: number, put: string): string {
  const at = random.below(text.length + 1)
  return text.slice(0, at) + put + text.slice(at + cut)
}

function inserted(text: string, put: string, from: number, random: Random): string {
  const at = from + random.below(text.length + 1 - from)
  return text.slice(0, at) + put + text.slice(at + (random.oneIn(3) ? random.below(6) : 0))
}

function repeatPart(text: string, random: Random): string {
  const at = random.below(text.length + 1)
  const part = text.slice(at, at + 1 + random.below(40))
  return text.slice(0, at) + part.repeat(2 + random.below(random.oneIn(10) ? 100 : 3)) + text.slice(at)
}

/** The beginning of this one and the end of another. */
function spliceOther(text: string, random: Random, texts: readonly [string, ...string[]]): string {
  const other = random.pick(texts)
  return text.slice(0, random.below(text.length + 1)) + other.slice(random.below(other.length + 1))
}

function escapePart(text: string, random: Random): string {
  const at = random.below(text.length + 1)
  const part = text.slice(at, at + 1 + random.below(4))
  const escaped = Array.from(part, (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
  return text.slice(0, at) + escaped.join('') + text.slice(at + part.length)
}

function inOtherEncoding(text: string, random: Random): string {
  if (!random.oneIn(4))
    return changedAt(text, random, 1, random.pick(['\xc3', '\xe2\x82', '\xf0\x9f', '\xed\xbf\xbf', '\xee\xbd']))
  return Buffer.from(text, random.pick(['utf16le', 'base64', 'utf8'] as const)).toString('latin1')
}

/** Up to all that fits in a datagram. */
function withRun(text: string, random: Random): string {
  const run = random.pick(RUNS)
  const bytes = random.oneIn(2) ? MAX_BYTES - text.length : 1 + random.below(MAX_BYTES)
  return changedAt(text, random, 0, run.repeat(Math.max(0, Math.floor(bytes / run.length))))
}
