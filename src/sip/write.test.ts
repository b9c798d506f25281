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
  [200, 'OK'],
  [400, 'Bad Request'],
  [405, 'Method Not Allowed'],
  [505, 'Version Not Supported'],
] as const) {
  test(`the reason phrase of ${status} is ${phrase} (RFC 3261 §21)`, () => {
    const bytes = writeReply(requestOf(...probe), { status, headers: [], body: null }, socket)
    assert.equal(bytes.toString('latin1').split('\r\n')[0], `SIP/2.0 ${status} ${phrase}`)
  })
}

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
