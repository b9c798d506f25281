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
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
      let nowMs = 1_000
      const budget = createReplyBudget(() => nowMs, 7)
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

test('a source that takes all it can get has 400 bytes more than it sent at once, and 600 after 10 s', () => {
  let nowMs = 0
  const budget = createReplyBudget(() => nowMs, 7)
  let excess = 0
  const takeAll = () => {
    while (budget.charge(ip('192.0.2.1'), 350, 360) === 'send') excess += 10
  }
  takeAll()
  assert.equal(excess, 400)
  for (; nowMs < 10_000; nowMs += 50) takeAll()
  assert.ok(excess > 580 && excess <= 600, String(excess))
})

test('a burst of 10,000 requests gets 100 answers, and 50 more a second later', () => {
  let nowMs = 0
  const budget = createReplyBudget(() => nowMs, 7)
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
  const budget = createReplyBudget(() => 0, 7)
  while (budget.charge(ip('192.0.2.1'), 350, 340) === 'send');
  assert.equal(budget.charge(ip('192.0.2.1'), 350, 340), 'too-many-replies')
  assert.equal(budget.charge(ip('192.0.2.2'), 350, 340), 'send')
})

test('addresses of one IPv6 /64 share a budget', () => {
  const budget = createReplyBudget(() => 0, 7)
  for (let host = 0; host < 100; host++)
    assert.equal(budget.charge(ip(`2001:db8:1:2::${host.toString(16)}`), 350, 340), 'send')
  assert.equal(budget.charge(ip('2001:db8:1:2:ffff::1'), 350, 340), 'too-many-replies')
  assert.equal(budget.charge(ip('2001:db8:1:3::1'), 350, 340), 'send')
})

test('a reply of half as much again as a typical request goes out, a longer one never', () => {
  const budget = createReplyBudget(() => 0, 7)
  assert.equal(budget.charge(ip('192.0.2.1'), 335, 360), 'send')
  assert.equal(budget.charge(ip('192.0.2.2'), 10, 526), 'too-many-bytes')
  assert.equal(budget.charge(ip('192.0.2.3'), 1_000, 1_501), 'too-many-bytes')
})

test('when every place is taken by an active source a new one gets silence, and a place 10 s later', () => {
  let nowMs = 1_000
  const budget = createReplyBudget(() => nowMs, 7)
  let refused: string | null = null
  for (let source = 0; source < 200_000 && refused === null; source++) {
    const address = `10.${source >> 16}.${(source >> 8) & 255}.${source & 255}`
    if (budget.charge(ip(address), 350, 340) === 'table-full') refused = address
  }
  assert.ok(refused !== null)
  nowMs += 10_001
  assert.equal(budget.charge(ip(refused), 350, 340), 'send')
})

test('asking costs nothing, and what is asked may go out', () => {
  const budget = createReplyBudget(() => 0, 7)
  for (let time = 0; time < 1_000; time++) assert.equal(budget.verdict(ip('192.0.2.1'), 350, 525), 'send')
  for (const reply of [525, 525]) assert.equal(budget.charge(ip('192.0.2.1'), 350, reply), 'send')
  for (const verdict of [budget.verdict, budget.charge]) {
    assert.equal(verdict(ip('192.0.2.1'), 350, 401), 'too-many-bytes', '400 − 2 × 175 leave 50')
    assert.equal(verdict(ip('192.0.2.1'), 350, 400), 'send')
  }
})

test('bytes that are kept for a shorter reply are not spent on a longer one', () => {
  const budget = createReplyBudget(() => 0, 7)
  assert.equal(budget.charge(ip('192.0.2.1'), 350, 451), 'send')
  assert.equal(budget.verdict(ip('192.0.2.1'), 350, 450, 200), 'too-many-bytes')
  assert.equal(budget.verdict(ip('192.0.2.1'), 350, 449, 200), 'send')
  assert.equal(budget.verdict(ip('192.0.2.1'), 350, 350, 10_000), 'send', 'it costs nothing')
})

const source = (number: number) => ip(`10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`)

test('all sources together get 1 MiB more than they sent at once, and 256 KiB a second after that', () => {
  let nowMs = 0
  const budget = createReplyBudget(() => nowMs, 7)
  let next = 0
  const flood = (sources: number) => {
    let excess = 0
    for (const first = next; next < first + sources; next++) {
      for (const _ of [1, 2]) {
        const verdict = budget.charge(source(next), 350, 525)
        if (verdict === 'send') excess += 175
        else assert.equal(verdict, 'too-much-in-all')
      }
    }
    return excess
  }
  assert.equal(flood(3_200), Math.floor((1024 * 1024) / 175) * 175)
  assert.equal(budget.charge(source(next), 350, 350), 'send', 'a reply that costs nothing goes out')
  nowMs += 1_000
  const more = flood(900)
  assert.ok(more > 256 * 1024 - 175 && more < 256 * 1024 + 175, String(more))
})

test('all sources together get 100,000 replies at once, and as many each second', () => {
  let nowMs = 0
  const budget = createReplyBudget(() => nowMs, 7)
  const flood = () => {
    let sent = 0
    for (let packet = 0; packet < 150_000; packet++) {
      if (budget.charge(source(packet % 1_500), 350, 340) === 'send') sent++
    }
    return sent
  }
  assert.equal(flood(), 100_000)
  nowMs += 2_000
  assert.equal(flood(), 100_000)
})

test('what is refused for all leaves the account of the source as it was', () => {
  let nowMs = 0
  const budget = createReplyBudget(() => nowMs, 7)
  for (let other = 1; budget.verdict(source(0), 350, 525) === 'send'; other++) budget.charge(source(other), 350, 525)
  for (let time = 0; time < 200; time++) assert.equal(budget.charge(source(0), 350, 525), 'too-much-in-all')
  nowMs += 1_000
  for (const _ of [1, 2]) assert.equal(budget.charge(source(0), 350, 525), 'send')
})
