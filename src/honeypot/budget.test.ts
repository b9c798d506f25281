// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type IpAddress, parseIp } from '../net/ip.ts'
import { createReplyBudget } from './budget.ts'

const ip = (text: string): IpAddress => parseIp(text) ?? assert.fail(text)

test('over any 10 s a source gets at most the bytes it sent plus 600, and at most 600 replies', () => {
  const step = fc.record({
    waitMs: fc.integer({ min: 0, max: 3_000 }),
    request: fc.integer({ min: 1, max: 1_500 }),
    reply: fc.integer({ min: 1, max: 2_000 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      let nowMs = 1_000
      const budget = createReplyBudget(() => nowMs)
      const sent: { atMs: number; request: number; reply: number }[] = []
      for (const { waitMs, request, reply } of steps) {
        nowMs += waitMs
        const verdict = budget.charge(ip('192.0.2.1'), request, reply)
        sent.push({ atMs: nowMs, request, reply: verdict === 'send' ? reply : 0 })
      }
      for (const [index, { atMs: fromMs }] of sent.entries()) {
        const window = sent.slice(index).filter(({ atMs }) => atMs < fromMs + 10_000)
        const received = window.reduce((sum, { request }) => sum + request, 0)
        const answered = window.reduce((sum, { reply }) => sum + reply, 0)
        assert.ok(answered <= received + 600, `${answered} bytes for ${received}`)
        assert.ok(window.filter(({ reply }) => reply > 0).length <= 600)
      }
    }),
  )
})

test('a burst of 10,000 requests gets 100 answers, and 50 more a second later', () => {
  let nowMs = 0
  const budget = createReplyBudget(() => nowMs)
  const burst = () => {
    let sent = 0
    for (let packet = 0; packet < 10_000; packet++) if (budget.charge(ip('192.0.2.1'), 350, 340) === 'send') sent++
    return sent
  }
  assert.equal(burst(), 100)
  nowMs += 1_000
  assert.equal(burst(), 50)
})

test('one source at its limit does not cost another one a reply', () => {
  const budget = createReplyBudget(() => 0)
  while (budget.charge(ip('192.0.2.1'), 350, 340) === 'send');
  assert.equal(budget.charge(ip('192.0.2.1'), 350, 340), 'too-many-replies')
  assert.equal(budget.charge(ip('192.0.2.2'), 350, 340), 'send')
})

test('addresses of one IPv6 /64 share a budget', () => {
  const budget = createReplyBudget(() => 0)
  for (let host = 0; host < 100; host++)
    assert.equal(budget.charge(ip(`2001:db8:1:2::${host.toString(16)}`), 350, 340), 'send')
  assert.equal(budget.charge(ip('2001:db8:1:2:ffff::1'), 350, 340), 'too-many-replies')
  assert.equal(budget.charge(ip('2001:db8:1:3::1'), 350, 340), 'send')
})

test('a reply of half as much again as a typical request goes out, a longer one never', () => {
  const budget = createReplyBudget(() => 0)
  assert.equal(budget.charge(ip('192.0.2.1'), 335, 360), 'send')
  assert.equal(budget.charge(ip('192.0.2.2'), 10, 526), 'too-many-bytes')
  assert.equal(budget.charge(ip('192.0.2.3'), 1_000, 1_501), 'too-many-bytes')
})

test('when every place is taken by an active source a new one gets silence, and a place 10 s later', () => {
  let nowMs = 1_000
  const budget = createReplyBudget(() => nowMs)
  let refused: string | null = null
  for (let source = 0; source < 200_000 && refused === null; source++) {
    const address = `10.${source >> 16}.${(source >> 8) & 255}.${source & 255}`
    if (budget.charge(ip(address), 350, 340) === 'table-full') refused = address
  }
  assert.ok(refused !== null)
  nowMs += 10_001
  assert.equal(budget.charge(ip(refused), 350, 340), 'send')
})
