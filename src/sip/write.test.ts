// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { allHeaders, header, type SipRequest, type SipResponse } from './message.ts'
import { parseMessage } from './parse.ts'
import { writeMessage, writeReply } from './write.ts'

const socket = { sourceIp: '192.0.2.1', sourcePort: 5071, toTag: 'ours' }

function requestOf(...lines: readonly string[]): SipRequest {
  const message = parseMessage(Buffer.from([...lines, '', ''].join('\r\n'), 'latin1'))
  assert.ok(message.kind === 'request')
  return message
}

const probe = [
  'OPTIONS sip:100@203.0.113.5 SIP/2.0',
  'v: SIP/2.0/UDP a;rport',
  'Via: SIP/2.0/UDP b, SIP/2.0/UDP c',
  'f:  "x" <sip:1@a>;tag=T\xe9 ',
  't: <sip:100@a>',
  'i:\r\n id\xe9',
  'CSeq: 007   OPTIONS',
] as const

test('a reply has the headers of RFC 3261 §8.2.6, then ours, then the body and its length in bytes', () => {
  const reply = {
    status: 200,
    headers: [
      ['Contact', '<sip:a>'],
      ['Allow', 'INVITE'],
    ],
    body: { type: 'text/plain', text: 'caf\xe9' },
  } as const
  assert.equal(
    writeReply(requestOf(...probe), reply, socket).toString('latin1'),
    [
      'SIP/2.0 200 OK',
      'Via: SIP/2.0/UDP a;rport=5071;received=192.0.2.1',
      'Via: SIP/2.0/UDP b, SIP/2.0/UDP c',
      'From: "x" <sip:1@a>;tag=T\xe9',
      'To: <sip:100@a>;tag=ours',
      'Call-ID: id\xe9',
      'CSeq: 007   OPTIONS',
      'Contact: <sip:a>',
      'Allow: INVITE',
      'Content-Type: text/plain',
      'Content-Length: 4',
      '',
      'caf\xe9',
    ].join('\r\n'),
  )
})

test('a reply without a body says so', () => {
  const bytes = writeReply(requestOf(...probe), { status: 405, headers: [], body: null }, socket)
  assert.ok(bytes.toString('latin1').endsWith('\r\nContent-Length: 0\r\n\r\n'))
  assert.ok(!bytes.includes('Content-Type'))
})

for (const [status, phrase] of [
  [100, 'Trying'],
  [180, 'Ringing'],
  [183, 'Session Progress'],
  [200, 'OK'],
  [202, 'Accepted'],
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Method Not Allowed'],
  [407, 'Proxy Authentication Required'],
  [408, 'Request Timeout'],
  [415, 'Unsupported Media Type'],
  [420, 'Bad Extension'],
  [423, 'Interval Too Brief'],
  [480, 'Temporarily Unavailable'],
  [481, 'Call/Transaction Does Not Exist'],
  [486, 'Busy Here'],
  [487, 'Request Terminated'],
  [488, 'Not Acceptable Here'],
  [489, 'Bad Event'],
  [491, 'Request Pending'],
  [500, 'Server Internal Error'],
  [501, 'Not Implemented'],
  [503, 'Service Unavailable'],
  [505, 'Version Not Supported'],
] as const) {
  test(`the reason phrase of ${status} is ${phrase} (RFC 3261 §21)`, () => {
    const bytes = writeReply(requestOf(...probe), { status, headers: [], body: null }, socket)
    assert.equal(bytes.toString('latin1').split('\r\n')[0], `SIP/2.0 ${status} ${phrase}`)
  })
}

test('a reply may have words of its own', () => {
  const bytes = writeReply(requestOf(...probe), { status: 404, reason: 'Not here', headers: [], body: null }, socket)
  assert.ok(bytes.toString('latin1').startsWith('SIP/2.0 404 Not here\r\n'))
})

const style = {
  order: ['Via', 'Call-Id', 'From', 'To', 'CSEQ', 'WWW-Authenticate', 'server', 'Content-Type', 'Content-Length'],
  contentLengthWidth: 2,
  bodyLengthWidth: 5,
}

test('a style gives order, spelling and padding; what it does not name goes before the body', () => {
  const reply = {
    status: 401,
    headers: [
      ['X-Own', '1'],
      ['Server', 'PBX'],
      ['www-authenticate', 'Digest a'],
      ['Allow', 'INVITE'],
      ['WWW-Authenticate', 'Digest b'],
    ],
    body: { type: 'text/plain', text: 'hello' },
  } as const
  assert.equal(
    writeReply(requestOf(...probe), reply, socket, style).toString('latin1'),
    [
      'SIP/2.0 401 Unauthorized',
      'Via: SIP/2.0/UDP a;rport=5071;received=192.0.2.1',
      'Via: SIP/2.0/UDP b, SIP/2.0/UDP c',
      'Call-Id: id\xe9',
      'From: "x" <sip:1@a>;tag=T\xe9',
      'To: <sip:100@a>;tag=ours',
      'CSEQ: 007   OPTIONS',
      'WWW-Authenticate: Digest a',
      'WWW-Authenticate: Digest b',
      'server: PBX',
      'X-Own: 1',
      'Allow: INVITE',
      'Content-Type: text/plain',
      'Content-Length:     5',
      '',
      'hello',
    ].join('\r\n'),
  )
})

for (const [widths, text, line, why] of [
  [{ contentLengthWidth: 2 }, null, 'Content-Length:  0', 'is padded without a body'],
  [{ contentLengthWidth: 2 }, 'abc', 'Content-Length:  3', 'is padded in the same way with one'],
  [{ contentLengthWidth: 2, bodyLengthWidth: 5 }, 'abc', 'Content-Length:     3', 'is padded with one in another way'],
  [{ contentLengthWidth: 2 }, 'x'.repeat(123), 'Content-Length: 123', 'is as long as it has to be'],
  [{ contentLengthWidth: 0 }, null, 'Content-Length: 0', 'is not padded with a width of 0'],
] as const) {
  test(`Content-Length ${why}: ${line}`, () => {
    const body = text === null ? null : { type: 'text/plain', text }
    const bytes = writeReply(requestOf(...probe), { status: 200, headers: [], body }, socket, {
      order: style.order,
      ...widths,
    })
    assert.ok(bytes.toString('latin1').split('\r\n').includes(line))
  })
}

test('no tag is added to To when there is none to add (RFC 3261 §8.2.6.2)', () => {
  const bytes = writeReply(requestOf(...probe), { status: 100, headers: [], body: null }, { ...socket, toTag: null })
  assert.ok(bytes.toString('latin1').split('\r\n').includes('To: <sip:100@a>'))
})

for (const [status, there] of [
  [100, true],
  [180, false],
] as const) {
  test(`a ${status} ${there ? 'has' : 'does not have'} the Timestamp of its request (RFC 3261 §8.2.6.1)`, () => {
    const request = requestOf(...probe, 'timestamp: 54.2\r\n  0.1')
    const bytes = writeReply(request, { status, headers: [], body: null }, socket, style)
    assert.equal(bytes.toString('latin1').includes('\r\nTimestamp: 54.2 0.1\r\n'), there)
  })
}

test('whatever the order, every header is written once, and those of one name stay in their order', () => {
  const ours = fc.array(
    fc.tuple(fc.constantFrom('Contact', 'allow', 'X-A', 'Server', 'Warning'), fc.stringMatching(/^\w+$/)),
  )
  const named = fc.shuffledSubarray(['Contact', 'Allow', 'SERVER'])
  const first = ['Via', 'To', 'From', 'Call-ID', 'CSeq']
  fc.assert(
    fc.property(ours, named, fc.integer({ min: 0, max: 3 }), (headers, names, at) => {
      const order = [...first.slice(0, at), ...names, ...first.slice(at), 'Content-Type', 'Content-Length']
      const bytes = writeReply(requestOf(...probe), { status: 200, headers, body: null }, socket, { ...style, order })
      const message = parseMessage(bytes)
      assert.ok(message.kind === 'response')
      const written = allHeaders(message).map(({ name, value }) => [name.toLowerCase(), value] as const)
      for (const wanted of ['contact', 'allow', 'x-a', 'server', 'warning']) {
        assert.deepEqual(
          written.filter(([name]) => name === wanted).map(([, value]) => value),
          headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value),
        )
      }
      assert.equal(written.length, headers.length + 7) // two Via, four copied ones, Content-Length
    }),
  )
})

for (const [to, answered, why] of [
  ['<sip:100@a>', '<sip:100@a>;tag=ours', 'gets our tag'],
  ['sip:100@a;x=y', 'sip:100@a;x=y;tag=ours', 'gets our tag behind its parameters'],
  ['<sip:100@a>;tag=theirs', '<sip:100@a>;tag=theirs', 'keeps its own tag (RFC 3261 §8.2.6.2)'],
  ['<sip:100@a> ; TAG = theirs', '<sip:100@a> ; TAG = theirs', 'keeps its own tag in any spelling'],
  ['<sip:100@a;tag=x>', '<sip:100@a;tag=x>;tag=ours', 'gets our tag though its URI has one'],
  ['";tag=x" <sip:100@a>', '";tag=x" <sip:100@a>;tag=ours', 'gets our tag though its name looks like one'],
] as const) {
  test(`To: ${to} ${why}`, () => {
    const request = requestOf(...probe.map((line) => (line.startsWith('t:') ? `t: ${to}` : line)))
    const bytes = writeReply(request, { status: 200, headers: [], body: null }, socket)
    assert.ok(bytes.toString('latin1').split('\r\n').includes(`To: ${answered}`))
  })
}

/** What a message means, free of how its lines were written. */
function meaning(message: SipRequest | SipResponse) {
  const lengthAt = header(message, 'content-length')?.offset
  const headers = allHeaders(message)
    .filter(({ offset }) => offset !== lengthAt)
    .map(({ name, value }) => `${name}: ${value}`)
  return message.kind === 'request'
    ? [message.method, message.requestUri, ...headers]
    : [message.status, message.reasonPhrase, ...headers]
}

const blank = fc.constantFrom('', ' ', '\t ')
const fold = fc.constantFrom('', ' ', '\r\n ', '\n\t', ' \r\n \t')
const word = fc.stringMatching(/^[!-9;-~\x80-\xff]{1,8}$/)
const extra = fc
  .tuple(fc.stringMatching(/^[A-Z][a-z-]{0,8}$/), blank, fold, word, fold, word, fold)
  .map(([name, before, a, b, c, d, e]) => `X${name}${before}:${a}${b}${c}${d}${e}`)
const startLine = fc.oneof(
  fc.tuple(fc.constantFrom('OPTIONS', 'odd%1'), word).map(([method, user]) => `${method} sip:${user}@a SIP/2.0`),
  fc
    .tuple(fc.integer({ min: 100, max: 699 }), fc.constantFrom('', 'OK', ' two  words\r'))
    .map((parts) => `SIP/2.0 ${parts.join(' ')}`),
)
const body = fc.uint8Array({ maxLength: 30 }).map((array) => Buffer.from(array))

test('a message that is written and read again means the same', () => {
  fc.assert(
    fc.property(startLine, fc.array(extra), fc.constantFrom('\r\n', '\n'), body, (first, extras, lineEnd, content) => {
      const method = first.split(' ')[0]
      const fixed = ['v: SIP/2.0/UDP a', 'From: <sip:1@a>', 'To: <sip:2@a>', 'Call-ID: x', `CSeq: 1 ${method}`]
      const head = [first, ...fixed, ...extras, `l: ${content.length}`, '', ''].join(lineEnd)
      const read = parseMessage(Buffer.concat([Buffer.from(head, 'latin1'), content]))
      assert.ok(read.kind === 'request' || read.kind === 'response')
      const written = writeMessage(read, content)
      const again = parseMessage(written)
      assert.ok(again.kind === read.kind)
      assert.deepEqual(meaning(again), meaning(read))
      assert.deepEqual(written.subarray(again.bodyStart, again.bodyEnd), content)
    }),
  )
})
