// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'
import { assertWellFormed, type CapturedMessage, startCapture } from './capture.ts'
import { testWith } from './peers.ts'
import { sipRequest, udpClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

// The captures of other tests are worth what this one shows: that wrong answers are found.

const SOUND = [
  'SIP/2.0 200 OK',
  'Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK-seen;rport=5999;received=127.0.0.1',
  'From: <sip:tester@127.0.0.1>;tag=seen',
  'To: <sip:100@127.0.0.1>;tag=ours',
  'Call-ID: seen',
  'CSeq: 1 OPTIONS',
  'Content-Length: 0',
  '',
  '',
].join('\r\n')

const WRONG = [
  ['another branch', SOUND.replace('branch=z9hG4bK-seen', 'branch=z9hG4bK-other'), /answers no request/],
  ['another sent-by', SOUND.replace('UDP 127.0.0.1', 'UDP 127.0.0.2'), /answers no request/],
  ['another CSeq', SOUND.replace('CSeq: 1', 'CSeq: 2'), /answers no request/],
  ['another Call-ID', SOUND.replace('Call-ID: seen', 'Call-ID: unseen'), /answers no request/],
  ['another From tag', SOUND.replace('tag=seen', 'tag=other'), /answers no request/],
  ['no CSeq', SOUND.replace('CSeq: 1 OPTIONS\r\n', ''), /answers no request/],
  ['no To tag', SOUND.replace(';tag=ours', ''), /no To tag/],
  ['a line without a colon', SOUND.replace('CSeq: 1', 'nonsense\r\nCSeq: 1'), /colon/],
  ['a body that is missing', SOUND.replace('Length: 0', 'Length: 99'), /Content-Length is 99, the body has 0/],
  ['no SIP at all', 'hello', /not SIP/],
] as const

testWith(['tshark'], 'in a capture the sound answer passes and each wrong one is found', async (t) => {
  const captured = await captureOf(t, [SOUND, ...WRONG.map(([, answer]) => answer)])
  const [sound = [], ...wrong] = captured
  assertWellFormed(sound)
  assert.deepEqual(
    sound.map(({ isOurs, method, status, findings }) => ({ isOurs, method, status, findings })),
    [
      { isOurs: false, method: 'OPTIONS', status: null, findings: [] },
      { isOurs: true, method: null, status: 200, findings: [] },
    ],
  )
  for (const message of sound) {
    assert.deepEqual(message.vias, ['127.0.0.1  z9hG4bK-seen'])
    assert.deepEqual([message.callId, message.cseq, message.fromTag], ['seen', '1 OPTIONS', 'seen'])
  }
  for (const [at, [what, , fault]] of WRONG.entries()) {
    assert.throws(() => assertWellFormed(wrong[at] ?? []), fault, what)
  }
})

/** One client for each answer, which asks once; what was captured of each. */
async function captureOf(t: TestContext, answers: readonly string[]): Promise<CapturedMessage[][]> {
  const server = createSocket('udp4').bind(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(t, () => server.close())
  const { port } = server.address()
  const capture = await startCapture(t, { ports: [port] })
  const peers: string[] = []
  for (const answer of answers) {
    server.once('message', (_, from) => server.send(answer, from.port, from.address))
    const client = await udpClient(t, port)
    client.send(sipRequest({ callId: 'seen' }))
    await waitFor('the answer', () => client.received() !== '')
    peers.push(`UDP 127.0.0.1 ${client.port}`)
  }
  const messages = await capture.stop()
  return peers.map((peer) => messages.filter((message) => message.peer === peer))
}
