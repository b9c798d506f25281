// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HEADER_NAMES } from './header-name.ts'
import { allHeaders, headerValue, type ParsedPacket } from './message.ts'
import { isAnswerable, parseMessage } from './parse.ts'
import { addressUri } from './uri.ts'

const REQUEST = `OPTIONS sip:100@203.0.113.5 SIP/2.0
Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1
From: <sip:1@a>;tag=1
To: <sip:100@a>
Call-ID: x
CSeq: 1 OPTIONS
Content-Length: 2

hi`.replaceAll('\n', '\r\n')

function parsed(text: string): ParsedPacket {
  return parseMessage(Buffer.from(text, 'latin1'))
}

test('a request is its method, Request-URI, headers and body', () => {
  const request = parsed(REQUEST)
  assert.ok(request.kind === 'request')
  assert.deepEqual([request.method, request.requestUri], ['OPTIONS', 'sip:100@203.0.113.5'])
  assert.equal(headerValue(request, 'call-id'), 'x')
  assert.equal(allHeaders(request).length, 6)
  assert.equal(REQUEST.slice(request.bodyStart, request.bodyEnd), 'hi')
})

test('the Request-URI is what stands between the first space and the last, even if it reads like a version', () => {
  const request = parsed(REQUEST.replace('sip:100@203.0.113.5 SIP/2.0', 'SIP/2.0:x sip/2.0'))
  assert.ok(request.kind === 'request')
  assert.equal(request.requestUri, 'SIP/2.0:x')
})

for (const length of [400, 500, 520, 4_000, 60_000]) {
  test(`a request with a URI and a body of ${length} characters is read as a short one is`, () => {
    const uri = `sip:${'1'.repeat(length)}@192.0.2.1`
    const body = '\xff\0'.repeat(length / 2)
    const text = REQUEST.replace('sip:100@203.0.113.5', uri).replace('2\r\n\r\nhi', `${length}\r\n\r\n${body}`)
    const request = parsed(text)
    assert.ok(request.kind === 'request')
    assert.deepEqual([request.method, request.requestUri, request.toUri], ['OPTIONS', uri, 'sip:100@a'])
    assert.equal(text.slice(request.bodyStart, request.bodyEnd), body)
    assertConsistent(Buffer.from(text, 'latin1'))
  })
}

test('a response is its status, reason phrase, headers and body', () => {
  const response = parsed(REQUEST.replace(/^.*/, 'SIP/2.0 486 Busy  Here'))
  assert.ok(response.kind === 'response')
  assert.deepEqual([response.status, response.reasonPhrase], [486, 'Busy  Here'])
})

// What each fault means in whole messages is in test/corpus; here, the edges.
for (const [what, from, to, outcome] of [
  ['a CSeq of 2**31-1', 'CSeq: 1', 'CSeq: 2147483647', 'request'],
  ['a CSeq of 2**31', 'CSeq: 1', 'CSeq: 2147483648', 'bad-cseq'],
  ['a CSeq of eleven digits', 'CSeq: 1', 'CSeq: 00000000001', 'bad-cseq'],
  ['a CSeq with a tab in it', 'CSeq: 1 ', 'CSeq: 1\t', 'request'],
  ['a CSeq whose method differs in case only', '1 OPTIONS', '1 Options', 'bad-cseq'],
  ['a Content-Length that ends with the datagram', 'Length: 2', 'Length: 2', 'request'],
  ['a Content-Length that ends before the datagram', 'Length: 2', 'Length: 1', 'request'],
  ['a Content-Length one byte behind the datagram', 'Length: 2', 'Length: 3', 'bad-content-length'],
  ['a Content-Length of ten digits', 'Length: 2', 'Length: 0000000002', 'bad-content-length'],
  ['a Content-Length with a letter', 'Length: 2', 'Length: 2a', 'bad-content-length'],
  ['a method of every character a token may have', 'OPTIONS', "aZ0-.!%*_+`'~", 'request'],
  ['a method with a bracket', 'OPTIONS', 'OPT(IONS', 'bad-start-line'],
  ['a method that is empty', 'OPTIONS sip', ' sip', 'bad-start-line'],
  ['a Request-URI with a byte above 0x7f', 'sip:100', 'sip:\xe9\xa0', 'request'],
  ['a Request-URI with a NUL', 'sip:100', 'sip:\0', 'bad-start-line'],
  ['a Request-URI with a DEL', 'sip:100', 'sip:\x7f', 'bad-start-line'],
  ['a Request-URI with a tab', 'sip:100', 'sip:1\t00', 'bad-start-line'],
  ['a Request-URI that names a version', 'sip:100', 'sip:SIP/3.0', 'request'],
  ['a version in lower case', 'SIP/2.0', 'sip/2.0', 'request'],
  ['a version of one digit', 'SIP/2.0', 'SIP/2', 'bad-version'],
  ['a version of nothing', 'SIP/2.0', 'SIP/', 'bad-version'],
  ['a version with more behind it', 'SIP/2.0', 'SIP/2.0.1', 'bad-version'],
  ['a version with a word behind it', 'SIP/2.0', 'SIP/2.0 please', 'not-sip'],
  ['white space before a colon', 'Call-ID:', 'Call-ID \t:', 'request'],
  ['a To that is no address', 'To: <sip:100@a>', 'To: whoever', 'request'],
  ['a To with an open bracket', 'To: <sip:100@a>', 'To: <sip:100@a', 'bad-address'],
  ['a From with an open quote', 'From: ', 'From: "', 'bad-address'],
  ['an empty From', '<sip:1@a>;tag=1', '', 'missing-header'],
  ['a Via that is only white space', 'SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1', ' \t', 'missing-header'],
  ['a status below 100', 'OPTIONS sip:100@203.0.113.5 SIP/2.0', 'SIP/2.0 099 OK', 'bad-start-line'],
  ['a status of two digits', 'OPTIONS sip:100@203.0.113.5 SIP/2.0', 'SIP/2.0 20 OK', 'bad-start-line'],
  ['a status of four digits', 'OPTIONS sip:100@203.0.113.5 SIP/2.0', 'SIP/2.0 2000 OK', 'bad-start-line'],
  ['a status without a space behind it', 'OPTIONS sip:100@203.0.113.5 SIP/2.0', 'SIP/2.0 200OK', 'bad-start-line'],
  ['a status line that ends behind the status', 'OPTIONS sip:100@203.0.113.5 SIP/2.0', 'SIP/2.0 200', 'response'],
  ['a status line without a status', 'OPTIONS sip:100@203.0.113.5 SIP/2.0', 'SIP/2.0 ', 'bad-start-line'],
] as const) {
  test(`${what} makes ${outcome === 'request' || outcome === 'response' ? `a sound ${outcome}` : `the fault ${outcome}`}`, () => {
    assert.ok(REQUEST.includes(from))
    const result = parsed(REQUEST.replaceAll(from, () => to))
    assert.equal(result.kind === 'fault' ? result.code : result.kind, outcome)
  })
}

test('the first fault is reported, the start line before headers and what is there before what is missing', () => {
  const code = (text: string) => {
    const result = parsed(text)
    return result.kind === 'fault' ? result.code : result.kind
  }
  const broken = 'OPTIONS  sip:a SIP/3.0\r\nno colon\r\nTo: <a\r\nTo: b\r\nCSeq: x\r\n\r\n'
  assert.equal(code(broken), 'bad-version')
  assert.equal(code(broken.replace('3.0', '2.0')), 'bad-start-line')
  assert.equal(code(broken.replace('  sip:a SIP/3.0', ' sip:a SIP/2.0')), 'bad-header')
  assert.equal(code(broken.replace('  sip:a SIP/3.0\r\nno colon', ' sip:a SIP/2.0')), 'duplicate-header')
  assert.equal(code(broken.replace('  sip:a SIP/3.0\r\nno colon\r\nTo: <a', ' sip:a SIP/2.0')), 'missing-header')
})

test('a request can be answered when Via, Call-ID and CSeq have a value', () => {
  const message = parsed(REQUEST)
  assert.ok(message.kind === 'request' && isAnswerable(message))
  for (const name of ['Via', 'From', 'To', 'Call-ID', 'CSeq']) {
    for (const replacement of [`X-${name}:`, `${name}:\r\nX:`]) {
      const fault = parsed(REQUEST.replace(`${name}:`, replacement))
      assert.ok(fault.kind === 'fault' && fault.message?.kind === 'request')
      assert.equal(fault.code, 'missing-header')
      assert.equal(isAnswerable(fault.message), name === 'From' || name === 'To', replacement)
    }
  }
})

for (const [bytes, keepAlive] of [
  [[], true],
  [[0x0d, 0x0a], true],
  [[0x0a, 0x0a, 0x0d], true],
  [[0, 0, 0, 0], true],
  [[0, 0, 0, 0, 0], false],
  [[0, 0x0d, 0x0a], false],
  [[0x0d, 0x0a, 0], false],
  [[0x20], false],
] as const) {
  test(`the bytes [${bytes.join(' ')}] are ${keepAlive ? 'a keep-alive' : 'evidence'}`, () => {
    assert.equal(parseMessage(Buffer.from(bytes)).kind, keepAlive ? 'keep-alive' : 'fault')
  })
}

/** What holds for whatever comes. */
function assertConsistent(bytes: Buffer): void {
  const result = parseMessage(bytes)
  if (result.kind === 'keep-alive') return
  if (result.kind === 'fault') {
    assert.ok(result.offset >= 0 && result.offset <= bytes.length)
    assert.match(result.detail, /^[\x20-\x7e]+$/)
  }
  const message = result.kind === 'fault' ? result.message : result
  if (message === null) return
  const { head, spans, names, bodyStart, bodyEnd } = message
  assert.equal(head, bytes.toString('latin1', 0, bodyStart))
  assert.ok(bodyStart <= bodyEnd && bodyEnd <= bytes.length)
  assert.equal(spans.length, names.length * 4)
  assert.ok(message.text.startsWith(head) && bytes.toString('latin1').startsWith(message.text))
  for (const [number, name] of HEADER_NAMES.entries()) {
    const isThere = (index: number) => names[index] === name
    const [first = -1, ...others] = [...names.keys()].filter(isThere)
    assert.equal(message.firsts[number], first, `the first ${name}`)
    assert.equal((message.repeated & (1 << number)) !== 0, others.length > 0, `another ${name}`)
  }
  const to = headerValue(message, 'to')
  assert.equal(message.toUri, to === null ? null : addressUri(to))
  assert.deepEqual(
    spans,
    spans.toSorted((a, b) => a - b),
    'names and values are where they are said to be, in order',
  )
  for (const { name, value } of allHeaders(message)) {
    assert.ok(name !== '' && !/[\n:]|^[ \t]|[ \t]$/.test(name))
    assert.ok(!/\n|^[ \t]|[ \t]$/.test(value), 'no value has a line break, which an answer would copy')
  }
}

test('any bytes are read without an exception and to a consistent end', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (array) => assertConsistent(Buffer.from(array))))
})

test('anything that is nearly a message is read without an exception and to a consistent end', () => {
  const piece = fc.constantFrom(
    ...[
      ...REQUEST.split(/(?<=\r\n)/),
      'SIP/2.0 200 OK\r\n',
      'OPTIONS',
      ' sip:a',
      ' SIP/2.0',
      '\r\n',
      '\n',
      '\r',
      ' ',
      '\t',
    ],
    ...[':', '"', '<', '>', ',', ';', '\\', '\0', '\x80', 'Via:', 't:', 'f :', 'CSeq: 1', 'l: 9', 'a', '__proto__: b'],
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.boolean(), (pieces, begun) => {
      assertConsistent(Buffer.from((begun ? REQUEST.slice(0, 37) : '') + pieces.join(''), 'latin1'))
    }),
    { numRuns: 1_000 },
  )
})
