// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { IpAddress } from '../net/ip.ts'
import type { Packet } from '../net/packet.ts'
import type { SipRequest } from '../sip/message.ts'
import { parseMessage } from '../sip/parse.ts'
import { createSourceProof, type SourceProof } from './proof.ts'

const MINUTE_MS = 60_000
const HERE = { sourceIp: '192.0.2.1' as IpAddress, sourcePort: 5071 }
const LOOK = { tag: '{uuid}', nonces: ['{time}/{hex:32}', '{base64:18}'], contact: '{hex:24}' }

function started({ secret = 'secret', look = LOOK } = {}): { proof: SourceProof; pass: (ms: number) => void } {
  let nowMs = 1_700_000_000_000
  const proof = createSourceProof({ secret, look, wallMs: () => nowMs, steadyMs: () => nowMs, randomBytes })
  return {
    proof,
    pass(ms) {
      nowMs += ms
    },
  }
}

function packet(from: Partial<Packet> = {}): Packet {
  return {
    transport: 'UDP',
    ...HERE,
    destinationIp: '203.0.113.5' as IpAddress,
    destinationPort: 5060,
    bytes: Buffer.alloc(0),
    complete: true,
    reply: () => true,
    done() {},
    ...from,
  }
}

function request({ uri = 'sip:100@203.0.113.5', toTag = '', callId = 'call' } = {}): SipRequest {
  const tag = toTag === '' ? '' : `;tag=${toTag}`
  const text = `BYE ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=1\r\nFrom: <sip:1@a>;tag=1\r\nTo: <sip:100@a>${tag}\r\nCall-ID: ${callId}\r\nCSeq: 2 BYE\r\n\r\n`
  const parsed = parseMessage(Buffer.from(text))
  return parsed.kind === 'request' ? parsed : assert.fail(text)
}

const shown = (proof: SourceProof, what: SipRequest, from: Partial<Packet> = {}, nonce: string | null = null) =>
  proof.shownBy(packet(from), what, nonce)

test('whoever sends our To-tag back has read our answer', () => {
  const { proof } = started()
  assert.equal(shown(proof, request({ toTag: proof.tag(HERE, 'call') })), 'to-tag')
})

test('whoever uses our nonce has read our challenge, in its long and its short form', () => {
  const { proof } = started()
  for (const look of [0, 1]) assert.equal(shown(proof, request(), {}, proof.nonce(HERE, look)), 'nonce')
})

test('whoever calls our Contact has read our answer', () => {
  const { proof } = started()
  assert.equal(shown(proof, request({ uri: `sip:203.0.113.5;did=${proof.contact(HERE)}` })), 'contact')
})

for (const [why, toTag] of [
  ['no tag', () => ''],
  ['a made-up tag', () => '0b7e3a52-35cd-4e9c-9f6d-6f0a7c3f2f11'],
  ['the tag of another call', (proof: SourceProof) => proof.tag(HERE, 'other')],
  ['our tag for another port', (proof: SourceProof) => proof.tag({ ...HERE, sourcePort: 5072 }, 'call')],
  [
    'our tag for another address',
    (proof: SourceProof) => proof.tag({ ...HERE, sourceIp: '192.0.2.2' as IpAddress }, 'call'),
  ],
  ['the tag of a node with another secret', () => started({ secret: 'other' }).proof.tag(HERE, 'call')],
  ['a nonce in place of a tag', (proof: SourceProof) => proof.nonce(HERE, 0)],
] as const) {
  test(`${why} proves nothing`, () => {
    const { proof } = started()
    assert.equal(shown(proof, request({ toTag: toTag(proof) })), null)
    assert.equal(proof.isProven(packet()), false)
  })
}

test('no two challenges have the same nonce for long, and every one of them is ours', () => {
  const { proof } = started()
  for (const look of [0, 1]) {
    const nonces = Array.from({ length: 50 }, () => proof.nonce(HERE, look))
    assert.ok(new Set(nonces).size > 25, nonces.join(' '))
    for (const nonce of nonces) assert.equal(proof.isOurNonce(HERE, nonce), true)
    assert.equal(proof.isOurNonce(HERE, `${nonces[0]?.slice(0, -1)}?`), false)
  }
})

test('a nonce is worth nothing to another address or port', () => {
  const { proof } = started()
  const nonce = proof.nonce(HERE, 0)
  assert.equal(proof.isOurNonce(HERE, nonce), true)
  assert.equal(proof.isOurNonce({ ...HERE, sourceIp: '192.0.2.2' as IpAddress }, nonce), false)
  assert.equal(proof.isOurNonce({ ...HERE, sourcePort: 5072 }, nonce), false)
})

test('a token lives five minutes, and not more than six', () => {
  const { proof, pass } = started()
  const nonce = proof.nonce(HERE, 0)
  pass(5 * MINUTE_MS)
  assert.equal(proof.isOurNonce(HERE, nonce), true)
  pass(MINUTE_MS)
  assert.equal(proof.isOurNonce(HERE, nonce), false)
})

test('where a product writes the time into its nonce, it is the time, and no other will do', () => {
  const { proof, pass } = started()
  pass(12_345)
  const nonce = proof.nonce(HERE, 0)
  assert.equal(nonce.split('/')[0], '1700000012')
  assert.equal(proof.isOurNonce(HERE, nonce), true)
  assert.equal(proof.isOurNonce(HERE, nonce.replace('1700000012', '1700000013')), false)
  assert.equal(proof.isOurNonce(HERE, nonce.replace('1700000012', 'x')), false)
})

test('who has shown something stays proven for five minutes, at that port', () => {
  const { proof, pass } = started()
  shown(proof, request({ toTag: proof.tag(HERE, 'call') }))
  assert.equal(proof.isProven(packet()), true)
  assert.equal(proof.isProven(packet({ sourcePort: 5072 })), false)
  pass(5 * MINUTE_MS + 1)
  assert.equal(proof.isProven(packet()), false)
})

test('TCP and TLS are proven by their handshake', () => {
  const { proof } = started()
  assert.equal(proof.isProven(packet({ transport: 'TCP' })), true)
  assert.equal(proof.isProven(packet({ transport: 'TLS' })), true)
})

test('of 16,384 proven sources the one that was quiet for longest makes room', () => {
  const { proof } = started()
  const show = (sourcePort: number, sourceIp: string) => {
    const source = { sourcePort, sourceIp: sourceIp as IpAddress }
    shown(proof, request({ toTag: proof.tag(source, 'call') }), source)
  }
  show(1, '192.0.2.1')
  show(2, '192.0.2.1')
  show(1, '192.0.2.1') // heard of again
  for (let count = 0; count < 16_383; count++) show(count + 1, '192.0.2.9')
  assert.equal(proof.isProven(packet({ sourcePort: 1 })), true)
  assert.equal(proof.isProven(packet({ sourcePort: 2 })), false)
})

test('a persona without a token in its Contact asks for none back', () => {
  const { proof } = started({ look: { ...LOOK, contact: null as never } })
  assert.equal(proof.contact(HERE), '')
  assert.equal(shown(proof, request({ uri: 'sip:100@203.0.113.5;did=' })), null)
})
