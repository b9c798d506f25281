// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { IpAddress } from '../net/ip.ts'
import type { Packet } from '../net/packet.ts'
import { headerValue } from '../sip/message.ts'
import { parseMessage } from '../sip/parse.ts'
import type { Verdict } from './budget.ts'
import { createResponder, type ResponderOptions } from './respond.ts'

interface Sent {
  /** The reply as text, or null for silence. */
  readonly reply: string | null
  /** Why a reply was held back, each time. */
  readonly suppressed: readonly string[]
  /** What the budget was asked for. */
  readonly charged: readonly (readonly [source: string, requestBytes: number, replyBytes: number])[]
}

function sent(
  text: string,
  from: Partial<Packet> = {},
  options: Partial<ResponderOptions> = {},
  verdicts: Verdict[] = [],
): Sent {
  const bytes = Buffer.from(text, 'latin1')
  const parsed = parseMessage(bytes)
  assert.ok(parsed.kind !== 'keep-alive')
  const suppressed: string[] = []
  const charged: [string, number, number][] = []
  const respond = createResponder({
    secret: 'secret',
    budget: {
      charge(source, requestBytes, replyBytes) {
        charged.push([source, requestBytes, replyBytes])
        return verdicts.shift() ?? 'send'
      },
    },
    isOwnSocket: () => false,
    onSuppressed: (why) => suppressed.push(why),
    ...options,
  })
  const packet: Packet = {
    transport: 'UDP',
    sourceIp: '192.0.2.1' as IpAddress,
    sourcePort: 5071,
    destinationIp: '203.0.113.5' as IpAddress,
    destinationPort: 5060,
    bytes,
    complete: true,
    done: () => {},
    reply: () => assert.fail('a reply is sent when its event is stored, not before'),
    ...from,
  }
  return { reply: respond(packet, parsed)?.toString('latin1') ?? null, suppressed, charged }
}

const VIA = 'Via: SIP/2.0/UDP 192.0.2.1:5071;branch=z9hG4bK1'
const request = (method: string) =>
  `${method} sip:100@203.0.113.5 SIP/2.0\r\n${VIA}\r\nFrom: <sip:1@a>;tag=1\r\nTo: <sip:100@a>\r\nCall-ID: x\r\nCSeq: 1 ${method}\r\n\r\n`
const OPTIONS = request('OPTIONS')

const statusOf = ({ reply }: Sent) => (reply === null ? null : Number(/^SIP\/2\.0 (\d{3}) /.exec(reply)?.[1]))
const toTagOf = ({ reply }: Sent) =>
  /^To: .*;tag=(.*)$/m.exec(reply?.replaceAll('\r', '') ?? '')?.[1] ?? assert.fail('no tag')

for (const [text, why] of [
  [OPTIONS.replace(/^.*/, 'SIP/2.0 200 OK'), 'a response'],
  [OPTIONS.replace(/^.*/, 'SIP/2.0 200 OK').replace('CSeq: 1', 'CSeq: x'), 'a malformed response'],
  [request('ACK'), 'an ACK (RFC 3261 §17.1.1.3)'],
  [request('ACK').replace('CSeq: 1', 'CSeq: x'), 'a malformed ACK'],
  [OPTIONS.replace('Via:', 'X:'), 'a request without Via'],
  [OPTIONS.replace('Call-ID:', 'X:'), 'a request without Call-ID'],
  [OPTIONS.replace('CSeq:', 'X:'), 'a request without CSeq'],
  [OPTIONS.replace('Call-ID: x', 'Call-ID:'), 'a request with an empty Call-ID'],
  [OPTIONS.replace(/Via: .*/, 'Via:'), 'a request with an empty Via'],
  ['hello\r\n', 'garbage'],
  ['\x16\x03\x01\x00\x05hello', 'TLS'],
  ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP'],
  ['OPTIONS rtsp://a RTSP/1.0\r\nCSeq: 1\r\n\r\n', 'RTSP'],
  [' ', 'white space'],
] as const) {
  test(`${why} is met with silence, which costs no budget and is no suppressed reply`, () => {
    assert.deepEqual(sent(text), { reply: null, suppressed: [], charged: [] })
  })
}

for (const name of ['From', 'To']) {
  test(`a request without ${name} is answered 400, and the answer has none either`, () => {
    const { reply } = sent(OPTIONS.replace(`${name}:`, 'X:'))
    assert.match(reply ?? '', /^SIP\/2\.0 400 Bad Request\r\n/)
    assert.doesNotMatch(reply ?? '', new RegExp(`^${name}:`, 'm'))
  })
}

test('a bare CR, at which some parsers end a line, does not come back in an answer', () => {
  const { reply } = sent(OPTIONS.replace('Call-ID: x', 'Call-ID: x\rX-Evil: 1'))
  assert.ok(reply?.includes('Call-ID: x X-Evil: 1\r\n'))
})

for (const port of [0, 7, 19, 53, 123, 161, 1900, 11211]) {
  test(`a packet from port ${port}, where something may answer anything, is met with counted silence`, () => {
    assert.deepEqual(sent(OPTIONS, { sourcePort: port }), {
      reply: null,
      suppressed: ['forbidden-source'],
      charged: [],
    })
  })
}

for (const source of [
  '0.0.0.0',
  '0.1.2.3',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  'ff02::1',
  'ff0e::1',
]) {
  test(`a packet from ${source}, which is no host, is met with counted silence`, () => {
    assert.deepEqual(sent(OPTIONS, { sourceIp: source as IpAddress }).suppressed, ['forbidden-source'])
  })
}

for (const source of [
  '1.0.0.1',
  '10.0.0.1',
  '127.0.0.1',
  '223.255.255.255',
  '192.0.2.224',
  '::1',
  'fe80::1',
  'fd00::ff02',
  '2001:db8::ff',
]) {
  test(`a packet from ${source} is answered`, () => {
    assert.equal(statusOf(sent(OPTIONS, { sourceIp: source as IpAddress })), 200)
  })
}

test('a packet that seems to come from one of our own sockets is met with counted silence', () => {
  const isOwnSocket = (address: IpAddress, port: number) => address === '203.0.113.5' && port === 5060
  const own = { sourceIp: '203.0.113.5' as IpAddress, sourcePort: 5060 }
  assert.deepEqual(sent(OPTIONS, own, { isOwnSocket }), { reply: null, suppressed: ['forbidden-source'], charged: [] })
  assert.equal(statusOf(sent(OPTIONS, { ...own, sourcePort: 5061 }, { isOwnSocket })), 200)
})

test('silence that nobody would have broken is not counted as a suppressed reply', () => {
  assert.deepEqual(sent(request('ACK'), { sourcePort: 53 }).suppressed, [])
  assert.deepEqual(sent('hello\r\n', { sourcePort: 53 }).suppressed, [])
})

test('on a stream the source is proven: no port is forbidden and no budget is charged', () => {
  for (const transport of ['TCP', 'TLS'] as const) {
    const isOwnSocket = () => true
    const result = sent(OPTIONS, { transport, sourcePort: 53 }, { isOwnSocket }, ['too-many-replies'])
    assert.equal(statusOf(result), 200)
    assert.deepEqual([result.suppressed, result.charged], [[], []])
  }
})

for (const [text, status, why] of [
  [OPTIONS, 200, 'a sound request'],
  [request('FROB'), 405, 'an unknown method (RFC 3261 §8.2.1)'],
  [OPTIONS.replace('CSeq: 1', 'CSeq: x'), 400, 'a malformed request'],
  [request('FROB').replace('CSeq: 1', 'CSeq: x'), 400, 'a malformed request of an unknown method'],
  [OPTIONS.replace('SIP/2.0\r', 'SIP/3.0\r'), 505, 'another version (RFC 3261 §21.5.6)'],
  [OPTIONS.replace(VIA, 'Via: over there'), 400, 'a Via that is no hop'],
] as const) {
  test(`${why} is answered with ${status}`, () => assert.equal(statusOf(sent(text)), status))
}

test('where a Via points does not matter: only the reply of the packet can send', () => {
  const { reply } = sent(
    OPTIONS.replace(VIA, 'Via: SIP/2.0/UDP victim.example.com;maddr=198.51.100.1;received=198.51.100.2;rport=53'),
  )
  assert.ok(reply?.includes('Via: SIP/2.0/UDP victim.example.com;maddr=198.51.100.1;rport=5071;received=192.0.2.1\r\n'))
})

test('the body of an INVITE is the offer that is answered, as far as Content-Length says', () => {
  const sdp = 'v=0\r\nm=audio 1 RTP/AVP 8\r\n'
  const invite = request('INVITE').replace(
    '\r\n\r\n',
    `\r\nContent-Type: application/sdp\r\nContent-Length: ${sdp.length}\r\n\r\n${sdp}`,
  )
  const { reply } = sent(`${invite}m=video 1 RTP/AVP 96\r\n`)
  assert.ok(reply?.includes('RTP/AVP 8\r\n') && !reply.includes('m=video'))
})

test('a retransmission of a request gets the same reply, To-tag and all (RFC 3261 §8.2.7)', () => {
  assert.deepEqual(sent(request('INVITE')), sent(request('INVITE')))
})

for (const [why, text, from, options] of [
  ['another Call-ID', OPTIONS.replace('Call-ID: x', 'Call-ID: y'), {}, {}],
  ['another From', OPTIONS.replace('tag=1', 'tag=2'), {}, {}],
  ['another source address', OPTIONS, { sourceIp: '192.0.2.2' as IpAddress }, {}],
  ['another source port', OPTIONS, { sourcePort: 5072 }, {}],
  ['another secret', OPTIONS, {}, { secret: 'other' }],
] as const) {
  test(`${why} gets another To-tag`, () => {
    assert.notEqual(toTagOf(sent(text, from, options)), toTagOf(sent(OPTIONS)))
  })
}

test('a To-tag has 96 bits, which nobody guesses (RFC 3261 §19.3 asks for 32)', () => {
  assert.match(toTagOf(sent(OPTIONS)), /^[0-9a-f]{24}$/)
})

test('when the full answer is more than the budget has, the bare one is tried', () => {
  const { reply, charged, suppressed } = sent(OPTIONS, {}, {}, ['too-many-bytes', 'send'])
  assert.ok(reply !== null && !reply.includes('Allow:'))
  assert.deepEqual(suppressed, [])
  const [full, bare] = charged
  assert.ok(full !== undefined && bare !== undefined && full[2] > bare[2])
  assert.deepEqual(bare, ['192.0.2.1', OPTIONS.length, reply.length])
})

for (const verdict of ['too-many-bytes', 'too-many-replies', 'table-full'] as const) {
  test(`a reply that the budget refuses with ${verdict} is counted once as that`, () => {
    const { reply, suppressed } = sent(OPTIONS, {}, {}, [verdict, verdict])
    assert.deepEqual([reply, suppressed], [null, [verdict]])
  })
}

test('From, Call-ID and CSeq go back byte for byte, whatever is in them but a bare CR', () => {
  const value = fc
    .uint8Array({ minLength: 1, maxLength: 30 })
    .map((bytes) => Buffer.from(bytes).toString('latin1').replaceAll('\n', '\n '))
    .filter((text) => /[^ \t\r\n]/.test(text))
  fc.assert(
    fc.property(value, value, value, (from, callId, cseq) => {
      const text = OPTIONS.replace('From: <', () => `From: ${from}<`)
        .replace('Call-ID: x', () => `Call-ID: ${callId}`)
        .replace('CSeq: 1', () => `CSeq: ${cseq}`)
      const parsed = parseMessage(Buffer.from(text, 'latin1'))
      const asked = parsed.kind === 'fault' ? parsed.message : parsed
      const { reply } = sent(text)
      assert.ok(asked?.kind === 'request' && reply !== null)
      const lines = reply.split('\r\n')
      for (const [name, header] of [
        ['From', 'from'],
        ['Call-ID', 'call-id'],
        ['CSeq', 'cseq'],
      ] as const) {
        assert.deepEqual(
          lines.filter((line) => line.startsWith(`${name}: `)),
          [`${name}: ${headerValue(asked, header)?.replaceAll('\r', ' ')}`],
        )
      }
    }),
  )
})
