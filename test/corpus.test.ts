// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EventCredentials } from '../src/event/event.ts'
import { address, createTestPbx } from '../src/honeypot/fixture-pbx.ts'
import type { Transport } from '../src/net/packet.ts'
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
  readonly row: ExpectedRow | null
}

type ExpectedRow = {
  readonly [field in 'method' | 'calledNumber' | 'requestUser' | 'userAgent' | 'fault']: string | null
} & {
  /** Left out: the message has none. */
  readonly credentials?: EventCredentials
}

const CASES = corpusExpectations() as Readonly<Record<string, Case>> // README.md of the folder has the shape
const MESSAGES = corpusMessages()
const OUR_TAG = /(?<=;tag=)(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|z9hG4bK[0-9a-f]{8})$/ // to INVITE, to all else

// Long enough for a call to ring and be taken up, and for every response that is sent again (RFC 3261 §17.2.1).
const ANSWERED_WITHIN_MS = 40_000

/** The event of a packet, and what a PBX that never saw its source before sends in answer, now and later. */
async function received(bytes: Buffer, transport: Transport = 'UDP', suppressed: readonly string[] = []) {
  const pbx = createTestPbx()
  const { event, replies } = pbx.receive(bytes, { transport, sourceIp: address('198.51.100.7') })
  await pbx.pass(ANSWERED_WITHIN_MS)
  pbx.stop()
  assert.deepEqual(pbx.suppressed, suppressed, 'replies that were held back')
  return { event, replies }
}

test('every corpus file has an expectation, and every expectation a file', () => {
  assert.deepEqual([...MESSAGES.keys()].sort(), Object.keys(CASES).sort())
  assert.ok(MESSAGES.size >= 70)
})

for (const [name, expected] of Object.entries(CASES)) {
  test(`${name}: ${expected.why}`, async () => {
    const bytes = MESSAGES.get(name) ?? assert.fail('there is no such file')
    const parsed = parseMessage(bytes)
    assertParsed(bytes, parsed, expected.parse)
    const { event, replies } = await received(bytes, expected.transport)
    if (event === null) return assert.deepEqual([expected.reply, expected.row, replies], [null, null, []])

    const { method, calledNumber, requestUser, userAgent, fault, credentials, proof } = event
    const code = fault === null ? null : (/^([a-z-]+) at byte \d+: ./.exec(fault)?.[1] ?? fault)
    const row = { credentials: null, ...expected.row }
    assert.deepEqual({ method, calledNumber, requestUser, userAgent, fault: code, credentials }, row)
    assert.equal(proof, expected.transport === 'UDP' ? 'none' : 'handshake')

    if (expected.reply === null) return assert.deepEqual(replies, [])
    // A source that may be forged is sent one thing for one thing. Nobody acknowledges: others get it again and again.
    if (expected.transport === 'UDP') assert.equal(replies.length, 1, replies.join('\n'))
    const request = parsed.kind === 'fault' ? parsed.message : parsed
    const final = replies.find((reply) => !reply.startsWith('SIP/2.0 1')) ?? assert.fail('there is no final response')
    assert.ok(request?.kind === 'request')
    assertReply(Buffer.from(final, 'latin1'), request, expected.reply)
  })
}

/** What a reply of a status is nothing without. */
const NEEDED: Readonly<Record<number, readonly string[]>> = {
  401: ['WWW-Authenticate: Digest *realm="*"*'], // RFC 3261 §22.1
  405: ['Allow: *'], // §21.4.6
  415: ['Accept: *'], // §8.2.3
  420: ['Unsupported: *'], // §8.2.2.3
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
  // RFC 3261 §20.14: a datagram without a body may leave it out.
  assert.equal(headerValue(response, 'content-length') ?? '0', String(bytes.length - response.bodyStart))
  // RFC 3261 §8.2.6.2. From, Call-ID and CSeq are the same text; each Via line is there, in order.
  for (const name of ['from', 'call-id', 'cseq'] as const) {
    const value = headerValue(request, name) ?? ''
    assert.deepEqual(headerValues(response, name), value === '' ? [] : [value.replaceAll('\r', ' ')])
  }
  assert.equal(headerValues(response, 'via').length, headerValues(request, 'via').filter((via) => via !== '').length)
  const to = headerValue(response, 'to') ?? ''
  if (expected.to === undefined) assert.ok(to.startsWith((headerValue(request, 'to') ?? '').replaceAll('\r', ' ')), to)
  else assert.equal(to.replace(OUR_TAG, '*'), expected.to)
  const lines = text.split('\r\n')
  for (const line of [...expected.mustHave, ...(NEEDED[expected.status] ?? [])]) {
    assert.ok(
      lines.some((given) => isLike(line, given)),
      `no line “${line}” in\n${text}`,
    )
  }
  for (const line of expected.mustNotHave ?? []) assert.ok(!text.includes(line), `“${line}” in\n${text}`)
}

/** Whether the text is that of the pattern, where `*` is any text. */
function isLike(pattern: string, text: string): boolean {
  const [start = '', ...parts] = pattern.split('*')
  const end = parts.pop()
  if (end === undefined) return text === pattern
  let at = start.length
  for (const part of parts) {
    const found = text.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return text.startsWith(start) && text.endsWith(end) && text.length - end.length >= at
}

const HEAD = [
  'OPTIONS sip:100@203.0.113.5 SIP/2.0',
  'Via: SIP/2.0/UDP 198.51.100.7:5071;branch=z9hG4bK-big;rport',
  'From: <sip:probe@198.51.100.7>;tag=big',
  'To: <sip:100@203.0.113.5>',
  'Call-ID: big@198.51.100.7',
  'CSeq: 1 OPTIONS',
].join('\r\n')

for (const [why, text, method, calledNumber, isRepeated] of [
  ['one header of 60 KB', `${HEAD}\r\nX-Long: ${'x'.repeat(60_000)}\r\n\r\n`, 'OPTIONS', '100', false],
  ['5,000 headers', `${HEAD}\r\n${'X: y\r\n'.repeat(5_000)}\r\n`, 'OPTIONS', '100', false],
  [
    'a header that is folded 15,000 times',
    `${HEAD}\r\nX: y${'\r\n z'.repeat(15_000)}\r\n\r\n`,
    'OPTIONS',
    '100',
    false,
  ],
  ['a Call-ID of 60 KB', `${HEAD.replace('big@', 'i'.repeat(60_000))}\r\n\r\n`, 'OPTIONS', '100', true],
  [
    'a user of 60 KB',
    `${HEAD.replace('To: <sip:100', `To: <sip:${'1'.repeat(60_000)}`)}\r\n\r\n`,
    'OPTIONS',
    '1'.repeat(60_000),
    true,
  ],
  [
    '2,000 hops',
    `${HEAD.replace('CSeq', `${'Via: SIP/2.0/UDP a.example.net\r\n'.repeat(2_000)}CSeq`)}\r\n\r\n`,
    'OPTIONS',
    '100',
    true,
  ],
] as const) {
  test(`${why} are read and kept, and ${isRepeated ? 'not repeated in an answer' : 'answered'}`, async () => {
    const bytes = Buffer.from(text, 'latin1')
    assert.ok(bytes.length <= 65_507, 'it fits in a datagram')
    const parsed = parseMessage(bytes)
    const { event, replies } = await received(bytes, 'UDP', isRepeated ? ['too-many-bytes'] : [])
    assert.deepEqual([event?.method, event?.calledNumber, event?.fault], [method, calledNumber, null])
    assert.equal(event?.sipMessage, text)
    assert.ok(parsed.kind === 'request')
    if (isRepeated) return assert.deepEqual(replies, [])
    assertReply(Buffer.from(replies.join(''), 'latin1'), parsed, { status: 200, mustHave: [] })
  })
}
