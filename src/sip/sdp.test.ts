// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AnswerOptions, answerTo, remoteAudio } from './sdp.ts'

const us = { address: '203.0.113.5', audioPort: 10_000, sessionId: 7 }
const session = ['v=0', 'o=- 1 1 IN IP4 192.0.2.1', 's=-', 'c=IN IP4 192.0.2.1', 't=0 0']

/** What the answer says about streams: its lines from the first `m=` on. */
function answeredStreams(...media: readonly string[]): string[] | null {
  const answer = answerTo([...session, ...media, ''].join('\r\n'), us)
  if (answer === null) return null
  const lines = answer.split('\r\n')
  return lines.slice(
    lines.findIndex((line) => line.startsWith('m=')),
    -1,
  )
}

test('an answer is a whole session description of our own', () => {
  assert.equal(
    answerTo([...session, 'm=audio 30000 RTP/AVP 0', ''].join('\r\n'), us),
    'v=0\r\no=- 7 7 IN IP4 203.0.113.5\r\ns=-\r\nc=IN IP4 203.0.113.5\r\nt=0 0\r\nm=audio 10000 RTP/AVP 0\r\n',
  )
})

for (const [asked, offered, answered, why] of [
  [{ owner: 'root', sessionName: 'call' }, [], 'o=root 7 7 IN IP4 203.0.113.5|s=call', 'its owner and session name'],
  [{ sessionVersion: 9 }, [], 'o=- 7 9 IN IP4 203.0.113.5', 'the version of its session'],
  [{ withPtime: true }, [], 'm=audio 10000 RTP/AVP 0|a=ptime:20|a=sendrecv', 'the packet time and both directions'],
  [{ withPtime: true }, ['a=sendonly'], 'm=audio 10000 RTP/AVP 0|a=ptime:20|a=recvonly', 'one direction and no more'],
] as const satisfies readonly (readonly [Partial<AnswerOptions>, readonly string[], string, string])[]) {
  test(`an answer that is asked to names ${why}`, () => {
    const answer = answerTo(['m=audio 1 RTP/AVP 0', ...offered].join('\r\n'), { ...us, ...asked }) ?? ''
    assert.ok(answer.replaceAll('\r\n', '|').includes(`${answered}|`), answer)
  })
}

for (const [offered, kept, lost, why] of [
  ['0 13 101', '0 101 13', '0 101', 'beside G.711'],
  ['8 0', '8', '8', 'only where it is offered'],
  ['13 0', '0 13', '0', 'not in place of a codec'],
  ['18 13', '18', '18', 'not beside another codec, whose clock may be another'],
] as const) {
  test(`comfort noise is answered ${why}, and never unasked`, () => {
    const offer = `m=audio 1 RTP/AVP ${offered}\r\na=rtpmap:101 telephone-event/8000\r\na=rtpmap:13 CN/8000\r\n`
    const formats = (answer: string | null) => /^m=audio 10000 RTP\/AVP (.*)\r$/m.exec(answer ?? '')?.[1]
    const withNoise = answerTo(offer, { ...us, withComfortNoise: true })
    assert.equal(formats(withNoise), kept)
    assert.equal(withNoise?.includes('a=rtpmap:13 CN/8000'), kept.endsWith('13'))
    assert.equal(formats(answerTo(offer, us)), lost)
  })
}

const audio = {
  ip: '192.0.2.1',
  port: 30_000,
  payloadTypes: [0],
  offersComfortNoise: false,
  receives: true,
}
for (const [offered, remote, why] of [
  [['m=audio 30000 RTP/AVP 0'], audio, 'to the address of the session'],
  [
    ['m=audio 30000 RTP/AVP 0', 'c=IN IP4 192.0.2.9', 'c=IN IP4 192.0.2.8'],
    { ...audio, ip: '192.0.2.9' },
    'to the first address of the stream where it has its own (RFC 8866 §5.7)',
  ],
  [
    ['m=audio 30000 RTP/AVP 0', 'm=audio 30002 RTP/AVP 0', 'c=IN IP4 192.0.2.9'],
    audio,
    'to no address of another stream',
  ],
  [
    ['m=video 5 RTP/AVP 96', 'c=IN IP4 192.0.2.9', 'm=audio 0 RTP/AVP 0', 'm=audio 30000 RTP/AVP 0'],
    audio,
    'to the first stream that is accepted',
  ],
  [
    ['m=audio 30000 RTP/AVP 18 8 0 13 x 101', 'a=rtpmap:101 telephone-event/8000'],
    { ...audio, payloadTypes: [18, 8, 0, 13, 101], offersComfortNoise: true },
    'in the payload types offered',
  ],
  [['m=audio 30000 RTP/AVP 0', 'c=IN IP6 2001:db8::5'], { ...audio, ip: '2001:db8::5' }, 'to an IPv6 address'],
  [['m=audio 30000 RTP/AVP 0', 'c=IN IP4 pbx.example'], { ...audio, ip: null }, 'to no name'],
  [['m=audio 30000 RTP/AVP 0', 'c=IN IP4 224.2.1.1/127'], { ...audio, ip: null }, 'to no group'],
  [['m=audio 30000 RTP/AVP 0', 'c=IN IP6 192.0.2.9'], { ...audio, ip: null }, 'to no address of the wrong family'],
  [['m=audio 30000 RTP/AVP 0', 'c=IN IP4 300.0.2.9'], { ...audio, ip: null }, 'to nothing that only looks like one'],
  [['m=audio 30000 RTP/AVP 0', 'a=recvonly'], audio, 'to who only receives'],
  [['m=audio 30000 RTP/AVP 0', 'a=sendonly'], { ...audio, receives: false }, 'not to who only sends'],
  [['a=inactive', 'm=audio 30000 RTP/AVP 0'], { ...audio, receives: false }, 'not to who is on hold'],
  [['m=audio 65536 RTP/AVP 0'], null, 'to no port that there is not'],
  [['m=audio 30000 RTP/SAVP 0'], null, 'nowhere when no stream is accepted'],
  [['m=audio 30000'], null, 'nowhere when the offer cannot be read'],
] as const) {
  test(`audio goes ${why}`, () => assert.deepEqual(remoteAudio([...session, ...offered].join('\r\n')), remote))
}

test('audio goes to no address when the offer names none', () => {
  assert.deepEqual(remoteAudio('m=audio 30000 RTP/AVP 0'), { ...audio, ip: null })
})

test('an IPv6 address is named as one', () => {
  const answer = answerTo('m=audio 1 RTP/AVP 0', { ...us, address: '2001:db8::5' }) ?? ''
  assert.ok(answer.includes('o=- 7 7 IN IP6 2001:db8::5\r\n') && answer.includes('c=IN IP6 2001:db8::5\r\n'))
})

test('the time of an answer is that of the offer (RFC 3264 §6)', () => {
  const answer = answerTo('v=0\nt=2873397496 2873404696\nm=audio 1 RTP/AVP 0\nt=1 1\n', us) ?? ''
  assert.deepEqual(answer.match(/^t=.*$/gm), ['t=2873397496 2873404696'])
})

for (const [offered, answered, why] of [
  [['m=audio 30000 RTP/AVP 18 8 0'], ['m=audio 10000 RTP/AVP 8'], 'one codec, G.711 where it is offered'],
  [
    ['m=audio 30000 RTP/AVP 97 18', 'a=rtpmap:97 speex/8000', 'a=rtpmap:18 G729/8000'],
    ['m=audio 10000 RTP/AVP 97', 'a=rtpmap:97 speex/8000'],
    'the first codec offered where G.711 is not',
  ],
  [
    ['m=audio 30000 RTP/AVP 101 0', 'a=rtpmap:101 telephone-event/8000', 'a=fmtp:101 0-15', 'a=rtpmap:0 PCMU/8000'],
    ['m=audio 10000 RTP/AVP 0 101', 'a=rtpmap:0 PCMU/8000', 'a=rtpmap:101 telephone-event/8000'],
    'the telephone events beside the codec (RFC 4733)',
  ],
  [
    ['m=audio 30000 RTP/AVP 101', 'a=rtpmap:101 telephone-event/8000'],
    ['m=audio 0 RTP/AVP 101'],
    'nothing where there are telephone events only',
  ],
  [
    ['m=video 30002 RTP/AVP 96', 'a=rtpmap:96 H264/90000', 'm=audio 30000 RTP/AVP 0', 'm=audio 30004 RTP/AVP 8'],
    ['m=video 0 RTP/AVP 96', 'm=audio 10000 RTP/AVP 0', 'm=audio 0 RTP/AVP 8'],
    'the first audio stream, and a line for every other with port 0 (RFC 3264 §6)',
  ],
  [
    ['m=audio 0 RTP/AVP 0', 'm=audio 30000 RTP/AVP 0'],
    ['m=audio 0 RTP/AVP 0', 'm=audio 10000 RTP/AVP 0'],
    'no stream that is offered with port 0 (RFC 3264 §5.1)',
  ],
  [['m=audio 30000 RTP/SAVP 0'], ['m=audio 0 RTP/SAVP 0'], 'no secure stream, for which it has no key'],
  [['m=audio 30000 RTP/AVPF 0'], ['m=audio 10000 RTP/AVPF 0'], 'a stream with feedback (RFC 4585)'],
  [['m=audio 30000/2 RTP/AVP 0'], ['m=audio 10000 RTP/AVP 0'], 'a stream with a number of ports'],
  [
    ['m=x-board.1 9 TCP/DTLS/SCTP data *', 'm=audio 30000 RTP/AVP 0'],
    ['m=x-board.1 0 TCP/DTLS/SCTP data', 'm=audio 10000 RTP/AVP 0'],
    'a line for a medium of any name (RFC 8866 §9)',
  ],
  [
    ['m=audio 30000 RTP/AVP 0', 'a=sendonly'],
    ['m=audio 10000 RTP/AVP 0', 'a=recvonly'],
    'reception from who only sends (RFC 3264 §6.1)',
  ],
  [
    ['m=audio 30000 RTP/AVP 0', 'a=recvonly'],
    ['m=audio 10000 RTP/AVP 0', 'a=sendonly'],
    'sending to who only receives (RFC 3264 §6.1)',
  ],
  [
    ['a=inactive', 'm=audio 30000 RTP/AVP 0'],
    ['m=audio 10000 RTP/AVP 0', 'a=inactive'],
    'the direction of the session where the stream names none',
  ],
  [
    ['a=inactive', 'm=audio 30000 RTP/AVP 0', 'a=sendrecv'],
    ['m=audio 10000 RTP/AVP 0'],
    'the direction of the stream where it names one',
  ],
  [
    ['a=toString', 'm=audio 30000 RTP/AVP 0', 'a=__proto__', 'a=rtpmap:__proto__ x'],
    ['m=audio 10000 RTP/AVP 0'],
    'both directions for attributes that are none',
  ],
] as const) {
  test(`an answer has ${why}`, () => assert.deepEqual(answeredStreams(...offered), answered))
}

for (const [offer, why] of [
  ['', 'nothing'],
  ['v=0\r\ns=-\r\nt=0 0\r\n', 'no stream'],
  ['m=audio 30000 RTP/AVP\r\n', 'a stream without a format'],
  ['m=audio 30000 RTP/AVP 0\r\nm=audio much RTP/AVP 0\r\n', 'a stream without a port, beside a good one'],
  ['m=audio 1 RTP/AVP 0\r\n'.repeat(17), 'more than 16 streams'],
  ['hello', 'other text'],
] as const) {
  test(`an offer with ${why} has no answer`, () => assert.equal(answerTo(offer, us), null))
}

test('16 streams are answered', () => {
  const answer = answerTo('m=audio 1 RTP/AVP 0\r\n'.repeat(16), us) ?? ''
  assert.equal(answer.match(/^m=audio 0 /gm)?.length, 15)
  assert.equal(answer.match(/^m=audio 10000 /gm)?.length, 1)
})

test('an answer to any offer has its streams in order, at most one of them open', () => {
  const line = fc.constantFrom(
    'm=audio 1 RTP/AVP 0',
    'm=audio 0 RTP/AVP 8',
    'm=video 2 RTP/AVP 96 97',
    'm=audio 3 RTP/SAVP 0',
    'm=x\x00',
    'a=sendonly',
    'a=rtpmap:0 PCMU/8000',
    'a=rtpmap:97 telephone-event/8000',
    't=1 2',
    'z',
    '',
  )
  fc.assert(
    fc.property(fc.array(line), fc.constantFrom('\r\n', '\n'), (lines, lineEnd) => {
      const answer = answerTo(lines.join(lineEnd), us)
      const media = lines.filter((text) => text.startsWith('m='))
      const answerable = media.length > 0 && media.length <= 16 && !media.includes('m=x\x00')
      assert.equal(answer !== null, answerable)
      assert.equal(remoteAudio(lines.join(lineEnd)) !== null, /^m=audio 10000 /m.test(answer ?? ''))
      if (answer === null) return
      const answered = answer.split('\r\n').filter((text) => text.startsWith('m='))
      const kinds = (texts: string[]) => texts.map((text) => text.replace(/ \d+ (\S+) .*/, ' $1'))
      assert.deepEqual(kinds(answered), kinds(media))
      assert.ok(answered.filter((text) => !/^m=\S+ 0 /.test(text)).length <= 1)
      assert.match(answer, /^(?:[a-z]=[\x20-\x7e]+\r\n)+$/)
    }),
  )
})
