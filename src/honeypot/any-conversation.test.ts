// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Transport } from '../net/packet.ts'
import { CALL_ENDS } from './calls.ts'
import { address, createTestPbx } from './fixture-pbx.ts'
import {
  authorization,
  headerOf,
  nonceOf,
  OFFER,
  type RequestParts,
  request,
  statusOf,
  toTagOf,
} from './fixture-request.ts'
import { createPersona, PERSONA_NAMES } from './persona.ts'

/* What holds whatever is sent in whatever order. */

const METHODS = ['OPTIONS', 'REGISTER', 'INVITE', 'ACK', 'CANCEL', 'BYE', 'UPDATE', 'REFER', 'MESSAGE', 'FROB'] as const
const CALLS = ['a', 'b', 'c'] as const
const WINDOW_MS = 10_000
const MORE_BYTES = 600
const REMEMBERED_MS = 4 * 60_000

const anyPbx = fc.record({
  persona: fc.constantFrom(...PERSONA_NAMES).map((name) => createPersona(name, '00')),
  callEnd: fc.constantFrom(...CALL_ENDS),
})

const anyStep = fc.record({
  method: fc.constantFrom(...METHODS),
  user: fc.constantFrom('100', '999', '00046500729221'),
  callId: fc.constantFrom(...CALLS),
  cseq: fc.integer({ min: 1, max: 4 }),
  tag: fc.constantFrom('none', 'foreign', 'stolen', 'expired'),
  nonce: fc.constantFrom('none', 'foreign', 'stolen', 'expired'),
  hasOffer: fc.boolean(),
  /** Of User-Agent; null leaves out what an answer does not need, so that it is longer than its request. */
  padding: fc.constantFrom(null, null, 200, 900),
  copies: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 20 })),
  waitMs: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 9, arbitrary: fc.integer({ min: 0, max: 2_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 90_000 }) },
  ),
})

/** Tags by call, and a challenge, as the source at this address is told them. */
function tokensOf(pbx: ReturnType<typeof createTestPbx>, from: { sourceIp: ReturnType<typeof address> }) {
  const tags = CALLS.map((callId) => {
    const { replies } = pbx.receive(request('INVITE', { callId, uri: 'sip:9@a', branch: `z9hG4bK${callId}` }), from)
    return [callId, toTagOf(replies[0])] as const
  })
  const [challenge = ''] = pbx.receive(request('REGISTER', { uri: 'sip:100@a' }), from).replies
  assert.notEqual(nonceOf(challenge), null)
  return { tags: new Map<string, string | null>(tags), challenge }
}

test('an unproven source gets one answer to a packet at most, none unasked, and within any 10 s what it sent and 600 bytes', async () => {
  await fc.assert(
    fc.asyncProperty(anyPbx, fc.array(anyStep, { maxLength: 40, size: 'max' }), async (options, steps) => {
      const pbx = createTestPbx({ ...options, openMedia: () => assert.fail('no audio to strangers') })
      const here = { sourceIp: address('192.0.2.1') }
      const tokens = { none: null, foreign: null, expired: tokensOf(pbx, here) }
      await pbx.pass(7 * 60_000)
      const known = { ...tokens, stolen: tokensOf(pbx, { sourceIp: address('198.51.100.9') }) }
      const traffic: { atMs: number; inBytes: number; outBytes: number }[] = []
      let nowMs = 0
      for (const { method, user, callId, cseq, tag, nonce, hasOffer, padding, copies, waitMs } of steps) {
        const before = pbx.sent.length
        await pbx.pass(waitMs)
        nowMs += waitMs
        assert.equal(pbx.sent.length, before, 'sent unasked')
        const challenge = nonce === 'foreign' ? 'nonce="0123456789abcdef"' : known[nonce]?.challenge
        const whole = request(method, {
          ...{ callId, cseq, uri: `sip:${user}@203.0.113.5`, branch: `z9hG4bK${callId}${cseq}` },
          toTag: tag === 'foreign' ? 'foreign' : (known[tag]?.tags.get(callId) ?? null),
          lines: [
            ...(padding === null ? [] : [`User-Agent: ${'x'.repeat(padding)}`]),
            ...(challenge === undefined ? [] : [authorization({ challenge }, { method })]),
          ],
          body: hasOffer ? OFFER : null,
        })
        const text = padding === null ? whole.replace(/Max-Forwards: 70\r\n|Content-Length: 0\r\n/g, '') : whole
        for (let copy = 0; copy < copies; copy++) {
          const { event, replies } = pbx.receive(text, here)
          assert.ok(event === null || event.proof === 'none')
          assert.ok(replies.length <= 1 && replies.every((reply) => (statusOf(reply) ?? 0) >= 200))
          if (method === 'ACK') assert.deepEqual(replies, [])
          traffic.push({ atMs: nowMs, inBytes: text.length, outBytes: replies.join('').length })
        }
      }
      for (const fromMs of new Set(traffic.map(({ atMs }) => atMs))) {
        const window = traffic.filter(({ atMs }) => atMs >= fromMs && atMs < fromMs + WINDOW_MS)
        const received = window.reduce((sum, { inBytes }) => sum + inBytes, 0)
        const sent = window.reduce((sum, { outBytes }) => sum + outBytes, 0)
        assert.ok(sent <= received + MORE_BYTES, `${sent} bytes for ${received}`)
      }
      assert.equal(pbx.stop(), 0)
    }),
    { numRuns: 100 },
  )
})

/** A step of a client that reads our answers and uses them. */
const anyTurn = fc.record({
  method: fc.constantFrom(...METHODS, 'INVITE', 'ACK'),
  user: fc.constantFrom('100', '999', '00046500729221'),
  callId: fc.constantFrom(...CALLS),
  hasTag: fc.boolean(),
  hasOffer: fc.boolean(),
  logsIn: fc.boolean(),
  again: fc.boolean(),
  waitMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 4_000 })),
})

test('whatever a proven client does, an INVITE gets one final status and one To-tag, and no timer or audio is left', async () => {
  const transports: readonly Transport[] = ['UDP', 'TCP']
  await fc.assert(
    fc.asyncProperty(
      anyPbx,
      fc.constantFrom(...transports),
      fc.array(anyTurn, { maxLength: 60, size: 'max' }),
      async (options, transport, turns) => {
        let audible = 0
        const pbx = createTestPbx({
          ...options,
          acceptAfter: 2,
          openMedia: async () => {
            audible++
            let isOpen = true
            const stop = () => {
              if (isOpen) audible--
              isOpen = false
            }
            return { port: 20_000, begin: () => assert.ok(isOpen), stop }
          },
        })
        const responses = new Map<string, string[]>() // by INVITE
        const tags = new Map<string, string | null>()
        let seen = 0
        let challenge = ''
        let invite: RequestParts = {}
        let lastText = ''
        const read = () => {
          for (const reply of pbx.sent.slice(seen)) {
            challenge = nonceOf(reply) === null ? challenge : reply
            const callId = headerOf(reply, 'Call-ID') ?? ''
            tags.set(callId, toTagOf(reply) ?? tags.get(callId) ?? null)
            if (headerOf(reply, 'CSeq')?.endsWith('INVITE') !== true) continue
            const branch = /branch=([^;]*)/.exec(headerOf(reply, 'Via') ?? '')?.[1] ?? ''
            responses.set(branch, [...(responses.get(branch) ?? []), reply])
          }
          seen = pbx.sent.length
        }
        for (const [index, { method, user, callId, hasTag, hasOffer, logsIn, again, waitMs }] of turns.entries()) {
          await pbx.pass(waitMs)
          read()
          const fresh = { callId, uri: `sip:${user}@203.0.113.5`, cseq: index + 1, branch: `z9hG4bK${index}` }
          const parts: RequestParts = {
            ...(method === 'ACK' || method === 'CANCEL' ? invite : fresh),
            toTag: hasTag && method !== 'CANCEL' ? (tags.get(callId) ?? null) : null,
            lines:
              logsIn && challenge !== '' ? [authorization({ challenge }, { method, password: String(index) })] : [],
            body: hasOffer ? OFFER : null,
          }
          if (method === 'INVITE') invite = fresh
          if (!again || lastText === '') lastText = request(method, parts)
          pbx.receive(lastText, { transport })
          read()
        }
        await pbx.pass(REMEMBERED_MS)
        read()
        for (const replies of responses.values()) {
          const statuses = replies.map((reply) => statusOf(reply) ?? 0)
          const first = statuses.findIndex((status) => status >= 200)
          assert.notEqual(first, -1, 'no final response')
          assert.ok(statuses.slice(0, first).every((status) => status < 200))
          assert.equal(new Set(statuses.slice(first)).size, 1, String(statuses))
          assert.ok(new Set(replies.map(toTagOf).filter((tag) => tag !== null)).size <= 1)
        }
        assert.equal(pbx.stop(), 0)
        assert.equal(audible, 0)
      },
    ),
    { numRuns: 150 },
  )
})
