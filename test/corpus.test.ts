// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReplyBudget } from '../src/honeypot/budget.ts'
import { createObserver } from '../src/honeypot/observe.ts'
import { createResponder } from '../src/honeypot/respond.ts'
import type { IpAddress } from '../src/net/ip.ts'
import type { Packet, Transport } from '../src/net/packet.ts'
import type { HeaderName } from '../src/sip/header-name.ts'
import { headerValue, headerValues, type ParsedPacket, type SipRequest } from '../src/sip/message.ts'
import { parseMessage } from '../src/sip/parse.ts'
import { corpusExpectations, corpusMessages } from './corpus.ts'

/*
 * Each file of corpus/ is one datagram, or one message of a stream, and corpus/expected.json says what has to become
 * of it: what is read, what is answered, what stands in the row. corpus/README.md has the fields.
 */

interface ExpectedParse {
  readonly kind: ParsedPacket['kind']
  readonly code?: string
  /** The text at which the fault is, its first place in the file; null: where the header block ends. */
  readonly at?: string | null
  readonly detail?: string
  /** Not even the start line could be read. */
  readonly unreadable?: true
  readonly method?: string
  readonly requestUri?: string
  readonly headers?: { readonly [name in HeaderName]?: readonly string[] }
  readonly bodyLength?: number
  readonly status?: number
  readonly reasonPhrase?: string
  /** The status of a response that has a fault. */
  readonly responseStatus?: number
}

interface ExpectedReply {
  readonly status: number
  readonly mustHave: readonly string[]
  readonly mustNotHave?: readonly string[]
  /** The value of To; `*` stands for the tag that we make. */
  readonly to?: string
}

interface Case {
  readonly why: string
  readonly rfc?: string
  readonly source: string
  readonly transport: Transport
  readonly parse: ExpectedParse
  readonly reply: ExpectedReply | null
  readonly row:
    | { readonly [field in 'method' | 'calledNumber' | 'requestUser' | 'userAgent' | 'fault']: string | null }
    | null
}

const CASES = corpusExpectations() as Readonly<Record<string, Case>> // README.md of the folder has the shape
const MESSAGES = corpusMessages()

const observe = createObserver({
  nodeId: '0194b2f0-0000-8000-8000-000000000001',
  collectedMethod: 'responsive',
  newEventUuid: () => '0194b2f0-0000-7000-8000-000000000002',
  timestamp: () => '2025-06-01 12:00:00.000000000',
})

function packetOf(bytes: Buffer, transport: Transport = 'UDP'): Packet {
  return {
    transport,
    sourceIp: '198.51.100.7' as IpAddress,
    sourcePort: 5071,
    destinationIp: '203.0.113.5' as IpAddress,
    destinationPort: 5060,
    bytes,
    complete: true,
    done: () => {},
    reply: () => assert.fail('a reply was sent before its event was stored'),
  }
}

/** A responder that has never seen this source before, and a clock that stands still. */
function respondTo(packet: Packet, parsed: Exclude<ParsedPacket, { kind: 'keep-alive' }>): Buffer | null {
  const isOwnSocket = () => false
  const onSuppressed = (why: string) => assert.fail(`the reply was held back: ${why}`)
  return createResponder({ secret: 's', budget: createReplyBudget(() => 0), isOwnSocket, onSuppressed })(packet, parsed)
}

test('every corpus file has an expectation, and every expectation a file', () => {
  assert.deepEqual([...MESSAGES.keys()].sort(), Object.keys(CASES).sort())
  assert.ok(MESSAGES.size >= 70)
})

for (const [name, expected] of Object.entries(CASES)) {
  test(`${name}: ${expected.why}`, () => {
    const bytes = MESSAGES.get(name) ?? assert.fail('there is no such file')
    const packet = packetOf(bytes, expected.transport)
    const parsed = parseMessage(bytes)
    assertParsed(bytes, parsed, expected.parse)
    if (parsed.kind === 'keep-alive') return assert.deepEqual([expected.reply, expected.row], [null, null])

    const { method, calledNumber, requestUser, userAgent, fault } = observe(packet, parsed)
    const code = fault === null ? null : (/^([a-z-]+) at byte \d+: ./.exec(fault)?.[1] ?? fault)
    assert.deepEqual({ method, calledNumber, requestUser, userAgent, fault: code }, expected.row)

    const reply = respondTo(packet, parsed)
    if (expected.reply === null) return assert.equal(reply?.toString('latin1'), undefined)
    const request = parsed.kind === 'fault' ? parsed.message : parsed
    assert.ok(reply !== null && request?.kind === 'request')
    assertReply(reply, request, expected.reply)
  })
}

function assertParsed(bytes: Buffer, parsed: ParsedPacket, expected: ExpectedParse): void {
  assert.equal(parsed.kind, expected.kind, parsed.kind === 'fault' ? parsed.code : '')
  const message = parsed.kind === 'fault' ? parsed.message : parsed
  if (parsed.kind === 'fault') {
    assert.equal(parsed.code, expected.code)
    const at = expected.at ?? null
    assert.equal(parsed.offset, at === null ? parsed.message?.bodyStart : bytes.indexOf(at, 0, 'latin1'))
    assert.equal(parsed.message === null, expected.unreadable ?? false)
    assert.equal(parsed.detail, expected.detail ?? parsed.detail)
  }
  if (message?.kind === 'request') {
    assert.equal(message.method, expected.method ?? message.method)
    assert.equal(message.requestUri, expected.requestUri ?? message.requestUri)
  } else if (message?.kind === 'response') {
    assert.equal(message.status, expected.status ?? expected.responseStatus)
    assert.equal(message.reasonPhrase, expected.reasonPhrase ?? message.reasonPhrase)
  }
  if (message === null || message.kind === 'keep-alive') return
  for (const [header, values] of Object.entries(expected.headers ?? {})) {
    assert.deepEqual(headerValues(message, header as HeaderName), values)
  }
  const bodyLength = message.bodyEnd - message.bodyStart
  assert.equal(bodyLength, expected.bodyLength ?? bodyLength)
}

function assertReply(bytes: Buffer, request: SipRequest, expected: ExpectedReply): void {
  const text = bytes.toString('latin1')
  const reply = parseMessage(bytes)
  const response = reply.kind === 'fault' ? reply.message : reply
  assert.ok(response?.kind === 'response', 'what we answer is read as a response')
  assert.equal(response.status, expected.status)
  assert.equal(response.bodyEnd, bytes.length)
  assert.equal(headerValue(response, 'content-length'), String(bytes.length - response.bodyStart))
  // RFC 3261 §8.2.6.2. From, Call-ID and CSeq are the same text; each Via line is there, in order.
  for (const name of ['from', 'call-id', 'cseq'] as const) {
    const value = headerValue(request, name) ?? ''
    assert.deepEqual(headerValues(response, name), value === '' ? [] : [value.replaceAll('\r', ' ')])
  }
  assert.equal(headerValues(response, 'via').length, headerValues(request, 'via').filter((via) => via !== '').length)
  const to = headerValue(response, 'to') ?? ''
  if (expected.to === undefined) assert.ok(to.startsWith((headerValue(request, 'to') ?? '').replaceAll('\r', ' ')), to)
  else assert.equal(to.replace(/(?<=;tag=)[0-9a-f]{24}$/, '*'), expected.to)
  const lines = text.split('\r\n')
  for (const line of expected.mustHave) assert.ok(lines.includes(line), `no line “${line}” in\n${text}`)
  for (const line of expected.mustNotHave ?? []) assert.ok(!text.includes(line), `“${line}” in\n${text}`)
}

const HEAD = [
  'OPTIONS sip:100@203.0.113.5 SIP/2.0',
  'Via: SIP/2.0/UDP 198.51.100.7:5071;branch=z9hG4bK-big;rport',
  'From: <sip:probe@198.51.100.7>;tag=big',
  'To: <sip:100@203.0.113.5>',
  'Call-ID: big@198.51.100.7',
  'CSeq: 1 OPTIONS',
].join('\r\n')

for (const [why, text, method, calledNumber] of [
  ['one header of 60 KB', `${HEAD}\r\nX-Long: ${'x'.repeat(60_000)}\r\n\r\n`, 'OPTIONS', '100'],
  ['5,000 headers', `${HEAD}\r\n${'X: y\r\n'.repeat(5_000)}\r\n`, 'OPTIONS', '100'],
  ['a header that is folded 15,000 times', `${HEAD}\r\nX: y${'\r\n z'.repeat(15_000)}\r\n\r\n`, 'OPTIONS', '100'],
  ['a Call-ID of 60 KB', `${HEAD.replace('big@', 'i'.repeat(60_000))}\r\n\r\n`, 'OPTIONS', '100'],
  [
    'a user of 60 KB',
    `${HEAD.replace('To: <sip:100', `To: <sip:${'1'.repeat(60_000)}`)}\r\n\r\n`,
    'OPTIONS',
    '1'.repeat(60_000),
  ],
  [
    '2,000 hops',
    `${HEAD.replace('CSeq', `${'Via: SIP/2.0/UDP a.example.net\r\n'.repeat(2_000)}CSeq`)}\r\n\r\n`,
    'OPTIONS',
    '100',
  ],
] as const) {
  test(`${why} are read, kept and answered`, () => {
    const bytes = Buffer.from(text, 'latin1')
    assert.ok(bytes.length <= 65_507, 'it fits in a datagram')
    const packet = packetOf(bytes)
    const parsed = parseMessage(bytes)
    assert.ok(parsed.kind === 'request')
    const event = observe(packet, parsed)
    assert.deepEqual([event.method, event.calledNumber, event.fault], [method, calledNumber, null])
    assert.equal(event.sipMessage, text)
    const reply = respondTo(packet, parsed)
    assert.ok(reply !== null)
    assertReply(reply, parsed, { status: 200, mustHave: [] })
  })
}
