// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { createFramer, FRAMING_LIMITS, type Frame, type Framer, type FramingLimits } from './framing.ts'

const small: FramingLimits = { maxHeadBytes: 60, maxBodyBytes: 10 }
const OPTIONS = 'OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\n\r\n'
const withBody = (body: string) => `INFO sip:a SIP/2.0\r\nContent-Length: ${body.length}\r\n\r\n${body}`

/** A frame as text: `ping`, the message, or `…` and what came of a message. */
function shown(frames: readonly Frame[]): string[] {
  return frames.map((frame) =>
    frame.kind === 'ping' ? 'ping' : `${frame.complete ? '' : '…'}${frame.bytes.toString('latin1')}`,
  )
}

function push(framer: Framer, text: string): string[] {
  return shown(framer.push(Buffer.from(text, 'latin1')))
}

for (const [stream, frames, why] of [
  [OPTIONS, [OPTIONS], 'a message without a body ends with its empty line'],
  ['A b SIP/2.0\nx: y\n\n', ['A b SIP/2.0\nx: y\n\n'], 'an empty line may be a bare LF'],
  ['A b SIP/2.0\nx: y\r\n\n', ['A b SIP/2.0\nx: y\r\n\n'], 'an empty line may be LF behind CRLF'],
  ['A b SIP/2.0\r\nx: y\n\r\n', ['A b SIP/2.0\r\nx: y\n\r\n'], 'an empty line may be CRLF behind LF'],
  [
    'A b SIP/2.0\r\nx:\r\n \r\ny:\r\n\r\n',
    ['A b SIP/2.0\r\nx:\r\n \r\ny:\r\n\r\n'],
    'a folded line of white space is no empty line',
  ],
  [withBody('hello'), [withBody('hello')], 'a body is as long as Content-Length says (RFC 3261 §18.3)'],
  [
    'A b SIP/2.0\r\nL : 002\r\n\r\nhiA',
    ['A b SIP/2.0\r\nL : 002\r\n\r\nhi'],
    'Content-Length has a compact form, white space and leading zeros',
  ],
  [
    'A b SIP/2.0\r\nl:\r\n 2\r\n \r\n\r\nhiA',
    ['A b SIP/2.0\r\nl:\r\n 2\r\n \r\n\r\nhi'],
    'Content-Length may be folded (RFC 3261 §7.3.1)',
  ],
  [
    'A b SIP/2.0\r\nX: y\r\n l: 9\r\n\r\n',
    ['A b SIP/2.0\r\nX: y\r\n l: 9\r\n\r\n'],
    'Content-Length in a folded line is no header',
  ],
  [
    OPTIONS + withBody('x') + OPTIONS,
    [OPTIONS, withBody('x'), OPTIONS],
    'messages may follow each other without a pause',
  ],
  [withBody(OPTIONS) + OPTIONS, [withBody(OPTIONS), OPTIONS], 'a message inside a body is never a message'],
  [`\r\n${OPTIONS}\r\n${OPTIONS}`, [OPTIONS, OPTIONS], 'a line break before a message is passed over (RFC 3261 §7.5)'],
  ['\r\n\r\n', ['ping'], 'two line breaks are a ping (RFC 5626 §3.5.1)'],
  ['\r\n\r\n\r\n\r\n', ['ping', 'ping'], 'two pings may come at once'],
  [`\r\n\r\n\r\n${OPTIONS}\r\n\r\n${OPTIONS}`, ['ping', OPTIONS, 'ping', OPTIONS], 'pings may come between messages'],
  ['\r\n', [], 'one line break is nothing yet'],
  ['', [], 'nothing is nothing'],
  [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    ['GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
    'a request of HTTP is handed on to be recognised',
  ],
] as const) {
  test(why, () => {
    const framer = createFramer()
    assert.deepEqual(push(framer, stream), frames)
    assert.equal(framer.isLost(), false)
  })
}

test('a message may come byte by byte', () => {
  const framer = createFramer()
  const stream = `\r\n\r\n${withBody('hello')}${OPTIONS}`
  assert.deepEqual(
    [...stream].flatMap((byte) => push(framer, byte)),
    ['ping', withBody('hello'), OPTIONS],
  )
  assert.equal(framer.pendingBytes(), 0)
})

const head = (line: string) => `INFO sip:a SIP/2.0\r\n${line}\r\n\r\n`
for (const [stream, why] of [
  [head('Content-Length: 1\r\nl: 1'), 'Content-Length comes twice'],
  [head('Content-Length: -1'), 'Content-Length is negative'],
  [head('Content-Length: 0x1'), 'Content-Length is hexadecimal'],
  [head('Content-Length: 1, 1'), 'Content-Length is a list'],
  [head('Content-Length: 1\r\n 0'), 'Content-Length is two numbers on two lines'],
  [head('Content-Length: 1\r'), 'a bare CR stands behind Content-Length'],
  [head('Content-Length:'), 'Content-Length is empty'],
  [head('Content-Length: 9999999999'), 'Content-Length is beyond all reason'],
  [head('Content-Type: text/plain'), 'a Content-Type announces a body of unknown length'],
  [head('c: text/plain'), 'a compact Content-Type announces a body of unknown length'],
  [`INFO sip:a SIP/2.0\r\nx: ${'y'.repeat(70_000)}`, 'a header block never ends'],
  [head(`x: ${'y'.repeat(70_000)}`), 'a header block is too long'],
  ['\x16\x03\x01\x00\x05hello', 'the stream is TLS'],
  ['\x16\x03\x01\x00\x05\n\nhello', 'the stream is TLS, with what looks like an empty line in it'],
  ['SSH-2.0-Go\r\n', 'the stream is SSH'],
  ['\r\nSSH-2.0-Go\r\n\r\n', 'the stream is SSH, behind a line break'],
] as const) {
  test(`when ${why} no message is found any more, and all that came is evidence`, () => {
    const framer = createFramer()
    assert.deepEqual(push(framer, stream), [])
    assert.equal(framer.isLost(), true)
    assert.deepEqual(push(framer, OPTIONS), [])
    assert.deepEqual(shown(framer.end()), [`…${stream.replace(/^[\r\n]+/, '')}${OPTIONS}`])
    assert.equal(framer.isLost(), false)
  })
}

test('the messages before a frame is lost are whole', () => {
  const framer = createFramer()
  assert.deepEqual(push(framer, `${OPTIONS}\r\n\r\n${head('l: -1')}`), [OPTIONS, 'ping'])
  assert.equal(framer.isLost(), true)
})

for (const [length, lost] of [
  [small.maxHeadBytes, false],
  [small.maxHeadBytes + 1, true],
] as const) {
  test(`a header block of ${length} bytes where ${small.maxHeadBytes} are allowed is ${lost ? 'too long' : 'read'}`, () => {
    const text = `A b SIP/2.0\r\nx: ${'y'.repeat(length - 20)}\r\n\r\n`
    assert.equal(text.length, length)
    for (const parts of [[text], [...text]]) {
      const framer = createFramer(small)
      assert.deepEqual(
        parts.flatMap((part) => push(framer, part)),
        lost ? [] : [text],
      )
      assert.equal(framer.isLost(), lost)
    }
  })
}

for (const [length, kept, complete] of [
  [10, 10, true],
  [11, 10, false],
  [35, 10, false],
] as const) {
  test(`of a body of ${length} bytes ${kept} are kept where 10 are allowed, and the next message is found`, () => {
    const body = 'abcdefghij'.repeat(4).slice(0, length)
    const text = withBody(body)
    for (const parts of [[text + OPTIONS], [...(text + OPTIONS)], [text.slice(0, -1), text.slice(-1) + OPTIONS]]) {
      const framer = createFramer(small)
      const expected = [`${complete ? '' : '…'}${text.slice(0, text.length - length + kept)}`, OPTIONS]
      assert.deepEqual(
        parts.flatMap((part) => push(framer, part)),
        expected,
      )
    }
  })
}

test('a body of 100 MB costs no more memory than the limit, and its end is found', () => {
  const framer = createFramer()
  const chunk = Buffer.alloc(1_000_000, 'x')
  assert.deepEqual(push(framer, 'A b SIP/2.0\r\nl: 100000000\r\n\r\n'), [])
  for (let sent = 0; sent < 100; sent++) {
    const frames = framer.push(Buffer.from(chunk))
    assert.equal(frames.length, sent === 99 ? 1 : 0)
    assert.ok(framer.pendingBytes() <= FRAMING_LIMITS.maxBodyBytes + 100)
  }
  assert.deepEqual(push(framer, OPTIONS), [OPTIONS])
})

test('messages that come byte by byte cost no more memory than their bytes, twice over', () => {
  const [streams, bytes] = [40, 20_000]
  const framers = Array.from({ length: streams }, () => createFramer())
  const beforeBytes = memoryInUse()
  for (const [index, framer] of framers.entries()) {
    push(framer, index % 2 === 0 ? 'A b SIP/2.0\r\nl: 60000\r\n\r\n' : 'A b SIP/2.0\r\nx: ')
    for (let sent = 0; sent < bytes; sent++) framer.push(Buffer.alloc(1, 'x'))
  }
  const usedBytes = memoryInUse() - beforeBytes
  assert.ok(usedBytes < 2 * streams * bytes + 1_000_000, `${usedBytes} bytes for ${streams * bytes}`)
  for (const framer of framers) assert.ok(framer.pendingBytes() > bytes)
})

/** Without what is only waiting to be collected. */
function memoryInUse(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test('a stream that is lost keeps only as much as one message may have', () => {
  const framer = createFramer(small)
  push(framer, `SSH-${'x'.repeat(100)}`)
  for (let sent = 0; sent < 10; sent++) push(framer, 'y'.repeat(50))
  assert.equal(framer.pendingBytes(), 70)
  assert.deepEqual(shown(framer.end()), [`…SSH-${'x'.repeat(66)}`])
})

for (const [stream, frames, why] of [
  ['OPTIONS sip:a SI', ['…OPTIONS sip:a SI'], 'in the middle of a header block leaves what came'],
  [withBody('hello').slice(0, -2), [`…${withBody('hello').slice(0, -2)}`], 'in the middle of a body leaves what came'],
  [`${OPTIONS}\r\n`, [], 'between messages leaves nothing'],
  ['\r\nX', ['…X'], 'behind a line break leaves no line break'],
  ['', [], 'before it began leaves nothing'],
] as const) {
  test(`a stream that ends ${why}`, () => {
    const framer = createFramer()
    push(framer, stream)
    assert.deepEqual(shown(framer.end()), frames)
    assert.deepEqual(shown(framer.end()), [], 'it ends once')
    assert.deepEqual(push(framer, OPTIONS), [], 'what comes later is ignored')
    assert.equal(framer.pendingBytes(), 0)
  })
}

test('the bytes of an unfinished message are counted, head and body', () => {
  const framer = createFramer()
  assert.equal(framer.pendingBytes(), 0)
  push(framer, 'INFO sip:a SIP/2.0\r\n')
  assert.equal(framer.pendingBytes(), 20)
  push(framer, 'l: 5\r\n\r\nhe')
  assert.equal(framer.pendingBytes(), 30)
  push(framer, 'llo')
  assert.equal(framer.pendingBytes(), 0)
})

/** Everything a stream gives, cut at these places, and whether its frame was lost before it ended. */
function framesOf(stream: Buffer, cuts: readonly number[], limits: FramingLimits) {
  const framer = createFramer(limits)
  const frames: Frame[] = []
  let from = 0
  for (const at of [...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length]) {
    frames.push(...framer.push(Buffer.from(stream.subarray(from, at))))
    from = at
  }
  return { lost: framer.isLost(), frames: shown([...frames, ...framer.end()]) }
}

test('a stream gives the same frames however it is cut', () => {
  const piece = fc.constantFrom(
    ...[
      '\r\n',
      '\n',
      '\r',
      ' ',
      'l:2',
      'Content-Length: 13',
      'l:-1',
      'c: x',
      'A b SIP/2.0\r\n',
      'xyz\r\n',
      '\x16',
      '\x03',
    ],
    ...['SSH-', '\n\n', '\r\n\r\n', 'y'.repeat(40), OPTIONS, withBody('hi'), withBody('x'.repeat(30))],
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat(400)), fc.boolean(), (pieces, cuts, tight) => {
      const stream = Buffer.from(pieces.join(''), 'latin1')
      const limits = tight ? small : FRAMING_LIMITS
      const whole = framesOf(stream, [], limits)
      assert.deepEqual(framesOf(stream, cuts, limits), whole)
      assert.deepEqual(framesOf(stream, [...stream.keys()], limits), whole)
    }),
    { numRuns: 500 },
  )
})
