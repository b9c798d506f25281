// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesOfText } from '../src/event/text.ts'
import { createObserver } from '../src/honeypot/observe.ts'
import { createResponder } from '../src/honeypot/respond.ts'
import type { IpAddress } from '../src/net/ip.ts'
import type { Packet } from '../src/net/packet.ts'
import { createFramer, type Frame } from '../src/sip/framing.ts'
import { allHeaders, headerValue, headerValues, type ParsedPacket } from '../src/sip/message.ts'
import { parseMessage } from '../src/sip/parse.ts'
import { writeMessage } from '../src/sip/write.ts'
import { corpusMessages } from './corpus.ts'

const MESSAGES = [...corpusMessages().values()]
const OUR_LINES =
  /^(?:Via|From|To|Call-ID|CSeq|Allow|Accept|Supported|Contact|Record-Route|Expires|SIP-ETag|Content-Type|Content-Length): /

const observe = createObserver({
  nodeId: 'node',
  collectedMethod: 'responsive',
  newEventUuid: () => 'event',
  timestamp: () => 'now',
})
const respond = createResponder({
  secret: 's',
  budget: { charge: () => 'send' },
  isOwnSocket: () => false,
  onSuppressed: () => assert.fail('there is no reason to hold a reply back'),
})

function packetOf(bytes: Buffer): Packet {
  return {
    transport: 'UDP',
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

/** The life of a packet up to the store, and what has to hold of it whatever came. */
function assertHarmless(bytes: Buffer): void {
  const parsed = parseMessage(bytes)
  if (parsed.kind === 'keep-alive') return
  const event = observe(packetOf(bytes), parsed)
  assert.deepEqual(bytesOfText(event.sipMessage), bytes)
  for (const text of [event.method, event.calledNumber, event.requestUser, event.userAgent, event.fault]) {
    assert.ok(text === null || (text !== '' && text.isWellFormed() && !text.includes('\0')))
  }
  const reply = respond(packetOf(bytes), parsed)
  if (reply !== null) assertFaithful(reply, parsed)
}

/** A reply is our own lines only, with the request's identity byte for byte. */
function assertFaithful(bytes: Buffer, parsed: ParsedPacket): void {
  const request = parsed.kind === 'fault' ? parsed.message : parsed
  assert.ok(request?.kind === 'request' && request.method !== 'ACK')
  const text = bytes.toString('latin1')
  const headEnd = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = text.slice(0, headEnd).split('\r\n')
  assert.match(
    statusLine,
    /^SIP\/2\.0 (?:200 OK|400 Bad Request|405 Method Not Allowed|486 Busy Here|505 Version Not Supported)$/,
  )
  for (const line of lines) assert.ok(OUR_LINES.test(line) && !/[\r\n]/.test(line), JSON.stringify(line))
  const values = (name: string) =>
    lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2))
  // What was not there stays out, and a bare CR, at which some parsers end a line, is not copied.
  const copied = (value: string | null) => (value === null || value === '' ? [] : [value.replaceAll('\r', ' ')])
  assert.deepEqual(values('From'), copied(headerValue(request, 'from')))
  assert.deepEqual(values('Call-ID'), copied(headerValue(request, 'call-id')))
  assert.deepEqual(values('CSeq'), copied(headerValue(request, 'cseq')))
  const [to = ''] = copied(headerValue(request, 'to'))
  assert.ok(values('To').length <= 1 && (values('To')[0]?.startsWith(to) ?? true))
  assert.equal(values('Via').length, headerValues(request, 'via').filter((value) => value !== '').length)
  assert.deepEqual(values('Content-Length'), [String(bytes.length - headEnd - 4)])
}

const token = fc.constantFrom(
  ...[
    '\r\n',
    '\n',
    '\r',
    ' ',
    '\t',
    '\r\n ',
    '\r\n\r\n',
    ':',
    ';',
    ',',
    '<',
    '>',
    '"',
    '\\',
    '@',
    '=',
    '%',
    '%00',
    '%0d%0a',
  ],
  ...[
    '\0',
    '\x1b',
    '\x7f',
    '\x80',
    '\xa0',
    '\xff',
    'sip:',
    'tel:',
    'SIP/2.0',
    'Via: ',
    'To:',
    't:',
    'l: 9',
    'Content-Length: -1',
  ],
  ...[
    'tag=',
    'rport',
    'received=',
    'expires=',
    '__proto__',
    'constructor',
    'm=audio 1 RTP/AVP 0\r\n',
    '0',
    '9'.repeat(30),
  ],
)

/** A message of the corpus with a few things done to it. */
const mutated = fc
  .tuple(
    fc.constantFrom(...MESSAGES),
    fc.constantFrom(...MESSAGES),
    fc.array(fc.tuple(fc.constantFrom('flip', 'insert', 'cut', 'repeat', 'splice'), fc.nat(), fc.nat(40), token), {
      minLength: 1,
      maxLength: 5,
    }),
  )
  .map(([message, other, changes]) => {
    let bytes = message
    for (const [change, place, length, text] of changes) {
      const at = place % (bytes.length + 1)
      const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
      if (change === 'flip') bytes = Buffer.concat([before, Buffer.of(length * 6), after.subarray(1)])
      if (change === 'insert') bytes = Buffer.concat([before, Buffer.from(text, 'latin1'), after])
      if (change === 'cut') bytes = Buffer.concat([before, after.subarray(length)])
      if (change === 'repeat') bytes = Buffer.concat([before, after.subarray(0, length), after])
      if (change === 'splice') bytes = Buffer.concat([before, other.subarray(at)])
    }
    return bytes
  })

test('any bytes become an event that gives them back, and no reply that is not ours', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), (array) => assertHarmless(Buffer.from(array))))
})

test('any damaged message becomes an event that gives it back, and a faithful reply or none', () => {
  fc.assert(fc.property(mutated, assertHarmless), { numRuns: 3_000 })
})

test('a sound message, damaged or not, means the same when it is written and read again', () => {
  const lines = (message: Exclude<ParsedPacket, { kind: 'keep-alive' | 'fault' }>) => {
    const start =
      message.kind === 'request' ? [message.method, message.requestUri] : [message.status, message.reasonPhrase]
    const headers = allHeaders(message).map(({ name, value }) => `${name}: ${value}`)
    return [...start, ...headers.filter((line) => !/^(?:content-length|l)[ \t]*:/i.test(line))]
  }
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...MESSAGES), mutated), (bytes) => {
      const message = parseMessage(bytes)
      if (message.kind !== 'request' && message.kind !== 'response') return
      const body = bytes.subarray(message.bodyStart, message.bodyEnd)
      const written = writeMessage(message, body)
      const again = parseMessage(written)
      assert.ok(again.kind === message.kind)
      assert.deepEqual(lines(again), lines(message))
      assert.deepEqual(written.subarray(again.bodyStart, again.bodyEnd), body)
    }),
    { numRuns: 1_000 },
  )
})

test('a stream of messages gives the same frames however it is cut', () => {
  const part = fc.oneof(fc.constantFrom(...MESSAGES), fc.constantFrom('\r\n\r\n', '\r\n').map(Buffer.from), mutated)
  const framesOf = (stream: Buffer, cuts: readonly number[]) => {
    const framer = createFramer({ maxHeadBytes: 2_000, maxBodyBytes: 500 })
    const frames: Frame[] = []
    const places = [0, ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length]
    for (const [index, at] of places.entries()) {
      frames.push(...framer.push(Buffer.from(stream.subarray(places[index - 1] ?? 0, at))))
    }
    return { lost: framer.isLost(), frames: [...frames, ...framer.end()] }
  }
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), fc.array(fc.nat()), (parts, cuts) => {
      const stream = Buffer.concat(parts)
      assert.deepEqual(framesOf(stream, cuts), framesOf(stream, []))
    }),
    { numRuns: 500 },
  )
})

const FULL = 65_536
const MAX_MS = 5

const request = (lines: string) =>
  `INVITE sip:1@a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:1@a>\r\nTo: <sip:1@a>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n${lines}\r\n\r\n`

/** Where attacker bytes may stand; `#` is the place. */
const PLACES: readonly (readonly [string, string])[] = [
  ['alone', '#'],
  ['in the method', '#INVITE sip:1@a SIP/2.0\r\n\r\n'],
  ['in the Request-URI', request('').replace('sip:1@a', 'sip:#@a')],
  ['in the status line', request('').replace(/^.*/, 'SIP/2.0 200 #')],
  ['in the status line, before a CR', request('').replace(/^.*/, 'SIP/2.0 200 #\rx')],
  ['before the status', request('').replace(/^.*/, 'SIP/2.0 # 200')],
  ['in the version', request('').replace('SIP/2.0\r', 'SIP/2.0#\r')],
  ['in Via', request('').replace('UDP a', 'UDP a#')],
  ['in the protocol of Via', request('').replace('UDP a', 'UDP#a')],
  ['in the parameters of Via', request('').replace('UDP a', 'UDP a;rport;x=#;y')],
  ['in From', request('').replace('From: <', 'From: #<')],
  ['in To', request('').replace('To: <sip:1@a>', 'To: #')],
  ['in the name of To', request('').replace('To: <', 'To: "#" <')],
  ['in the user of To', request('').replace('To: <sip:1', 'To: <sip:1#')],
  ['in the parameters of To', request('').replace('To: <sip:1@a>', 'To: <sip:1@a>;x=#')],
  ['in Call-ID', request('').replace('Call-ID: x', 'Call-ID: #')],
  ['in CSeq', request('').replace('CSeq: 1', 'CSeq: 1#')],
  ['in a header name', request('X#: y')],
  ['in a header value', request('X: #')],
  ['between headers', request('X: y\r\n#')],
  ['in User-Agent', request('User-Agent: #')],
  ['in Content-Length', request('Content-Length: #')],
  ['in Record-Route', request('Record-Route: #')],
  [
    'in the SDP of the body',
    `${request('Content-Type: application/sdp')}v=0\r\nm=audio 1 RTP/AVP #\r\na=rtpmap:#\r\n#`,
  ],
  ['in the Contact of a REGISTER', request('Contact: #').replaceAll('INVITE', 'REGISTER')],
  ['in the parameters of a Contact', request('Contact: <sip:1@a>;#').replaceAll('INVITE', 'REGISTER')],
  ['in Expires', request('Expires: #').replaceAll('INVITE', 'REGISTER')],
]

const RUNS = [
  ',',
  ';',
  '"',
  '""',
  ' ',
  '<',
  '>',
  '\n ',
  '\r\n ',
  '\n',
  '\r',
  ':',
  'a\n',
  'a:\n',
  '\\',
  '"\\',
  '=',
  '%',
  '%0',
  '/',
  '@',
]
const MORE_RUNS = [
  '0',
  '0 ',
  '<>',
  '<,',
  ';x',
  ',x',
  'SIP/',
  ' SIP/2.0',
  '\0',
  '\x80',
  '\xc3\xa0',
  't:a\n',
  'v:SIP/2.0/UDP a,\n',
  ';tag',
  ';expires',
]

function lifeOf(bytes: Buffer): void {
  const parsed = parseMessage(bytes)
  if (parsed.kind === 'keep-alive') return
  observe(packetOf(bytes), parsed)
  respond(packetOf(bytes), parsed)
}

/** Milliseconds of the best of five runs: a busy machine makes single ones longer. */
function bestMs(run: () => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let time = 0; time < 5 && best > MAX_MS / 2; time++) {
    const startedAtMs = performance.now()
    run()
    best = Math.min(best, performance.now() - startedAtMs)
  }
  return best
}

for (const [where, template] of PLACES) {
  test(`64 KiB of anything ${where} are read in under ${MAX_MS} ms`, () => {
    for (const run of [...RUNS, ...MORE_RUNS]) {
      const places = template.split('#').length - 1
      const times = Math.floor((FULL - template.length) / run.length / places)
      const bytes = Buffer.from(
        template.replaceAll('#', () => run.repeat(times)),
        'latin1',
      ).subarray(0, FULL)
      const ms = bestMs(() => parseMessage(bytes))
      assert.ok(ms < MAX_MS, `${JSON.stringify(run)}: ${ms.toFixed(1)} ms to parse`)
      const lifeMs = bestMs(() => lifeOf(bytes))
      assert.ok(lifeMs < MAX_MS * 4, `${JSON.stringify(run)}: ${lifeMs.toFixed(1)} ms to parse, observe and respond`)
    }
  })
}
