// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OpenMedia } from './calls.ts'
import { ASTERISK, createTestPbx } from './fixture-pbx.ts'
import { bodyOf, OFFER, offerAt, prove, request, statusOf, toTagOf } from './fixture-request.ts'

/* Calls that end with noise: when a socket is opened, where its packets go, and when it is closed. */

const { answersAfterMs } = ASTERISK
const LOCAL = '203.0.113.5'
const INVITE = request('INVITE', { body: OFFER })

const ackTo = (reply: string | undefined) => request('ACK', { toTag: toTagOf(reply) })

interface Media {
  readonly openMedia: OpenMedia
  /** What sockets were asked for. */
  readonly wanted: readonly Parameters<OpenMedia>[0][]
  readonly heard: readonly string[]
}

/** Sockets that open when `opened` resolves, with what happens to them written down. */
function media(opened: () => Promise<void> | null = () => null): Media {
  const wanted: Parameters<OpenMedia>[0][] = []
  const heard: string[] = []
  return {
    wanted,
    heard,
    async openMedia(asked) {
      const call = wanted.push(asked)
      await opened()
      return {
        port: 20_000 + call * 2,
        begin: () => heard.push(`${call} begins`),
        stop: () => heard.push(`${call} stops`),
      }
    },
  }
}

/** A proven source's call with noise, up to where it is answered. */
async function noisy({ openMedia }: Pick<Media, 'openMedia'>, invite = INVITE) {
  const pbx = createTestPbx({ callEnd: 'noise', openMedia })
  prove(pbx)
  const before = pbx.sent.length
  pbx.receive(invite)
  await pbx.pass(answersAfterMs)
  const statuses = () => pbx.sent.slice(before).map(statusOf)
  return { pbx, statuses, ok: pbx.sent.at(-1), status: statusOf(pbx.sent.at(-1)) }
}

const NO_AUDIO = { openMedia: () => assert.fail('no audio') }
const wanting = (offer: string) => request('INVITE', { body: offer })

test('noise goes to where the offer wants it, from the port that the answer names, and only from the ACK to the BYE', async () => {
  const audio = media()
  const { pbx, ok, status } = await noisy(audio)
  assert.equal(status, 200)
  assert.deepEqual(audio.wanted, [
    { localIp: LOCAL, remote: { ip: '192.0.2.1', port: 30_000 }, payloadType: 8, maxS: 60 },
  ])
  assert.match(bodyOf(ok), /^m=audio 20002 RTP\/AVP 8\r$/m)
  await pbx.pass(400)
  assert.deepEqual(audio.heard, [])
  pbx.receive(ackTo(ok))
  assert.deepEqual(audio.heard, ['1 begins'])
  const bye = pbx.receive(request('BYE', { cseq: 2, toTag: toTagOf(ok) }))
  assert.deepEqual(bye.replies.map(statusOf), [200])
  assert.deepEqual(audio.heard, ['1 begins', '1 stops'])
})

test('the answer keeps comfort noise where it is offered (RFC 3389 §4)', async () => {
  const { ok } = await noisy(media(), wanting(offerAt('192.0.2.1', 'm=audio 30000 RTP/AVP 0 13')))
  assert.match(bodyOf(ok), /^m=audio 20002 RTP\/AVP 0 13\r$/m)
})

for (const [offer, why] of [
  [offerAt('198.51.100.7'), 'names a third party'],
  [
    offerAt('192.0.2.1', 'c=IN IP4 192.0.2.1\r\nm=audio 30000 RTP/AVP 0\r\nc=IN IP4 198.51.100.7'),
    'names a third party for the stream',
  ],
  [offerAt('224.0.0.1'), 'names a group'],
  [offerAt('192.0.2.1/127'), 'names an address with a TTL'],
  [offerAt('pbx.example.com'), 'names a host'],
  [offerAt('0.0.0.0'), 'names no address, which puts the call on hold (RFC 3264 §8.4)'],
  [offerAt('192.0.2.1', undefined, 'a=sendonly\r\n'), 'only sends'],
  [offerAt('192.0.2.1', undefined, 'a=inactive\r\n'), 'is on hold'],
  [offerAt('192.0.2.1', 'm=audio 30000 RTP/AVP 18'), 'has no codec in which we can make noise'],
] as const) {
  test(`a call whose offer ${why} is answered, and no socket is opened for it`, async () => {
    const { status } = await noisy(NO_AUDIO, wanting(offer))
    assert.equal(status, 200)
  })
}

test('a call without an offer gets no audio, for nobody has said where to', async () => {
  const { status } = await noisy(NO_AUDIO, request('INVITE'))
  assert.equal(status, 200)
})

test('when no socket is to be had the call is answered all the same', async () => {
  const { status, ok } = await noisy({ openMedia: async () => null })
  assert.equal(status, 200)
  assert.match(bodyOf(ok), /^m=audio \d+ RTP/m)
})

test('a call that is cancelled while its socket opens gets 487 and no 200, and the socket is closed', async () => {
  const opening = Promise.withResolvers<void>()
  const audio = media(() => opening.promise)
  const { pbx, statuses } = await noisy(audio)
  assert.equal(audio.wanted.length, 1)
  pbx.receive(request('CANCEL', { branch: 'z9hG4bKINVITE' }))
  opening.resolve()
  await new Promise(setImmediate)
  assert.deepEqual(statuses(), [100, 180, 200, 487])
  assert.deepEqual(audio.heard, ['1 stops'])
})

test('a node that stops while a socket opens closes it and sends nothing', async () => {
  const opening = Promise.withResolvers<void>()
  const audio = media(() => opening.promise)
  const { pbx, statuses } = await noisy(audio)
  assert.equal(pbx.stop(), 0)
  opening.resolve()
  await new Promise(setImmediate)
  assert.deepEqual([statuses(), audio.heard], [[100, 180], ['1 stops']])
})

test('the audio of a call stops when the node does, and when the call is forgotten', async () => {
  const audio = media()
  const { pbx, ok } = await noisy(audio)
  pbx.receive(ackTo(ok))
  pbx.stop()
  assert.deepEqual(audio.heard, ['1 begins', '1 stops'])

  const forgotten = media()
  const other = await noisy(forgotten)
  other.pbx.receive(ackTo(other.ok))
  await other.pbx.pass(10 * 60_000 + 1)
  other.pbx.receive(request('BYE', { callId: 'another', toTag: 'x' }))
  assert.deepEqual(forgotten.heard, ['1 begins', '1 stops'])
})

test('a re-INVITE cannot move the audio of a call elsewhere', async () => {
  const audio = media()
  const { pbx, ok } = await noisy(audio)
  const again = request('INVITE', { cseq: 2, toTag: toTagOf(ok), branch: 'z9hG4bK2', body: offerAt('198.51.100.7') })
  assert.deepEqual(pbx.receive(again).replies.map(statusOf), [200])
  await pbx.pass(answersAfterMs)
  assert.equal(audio.wanted.length, 1)
})
