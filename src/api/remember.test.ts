// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createMemory } from './remember.ts'

const LIMITS = { maxCharacters: 10, maxAgeMs: 1_000 }

test('a body asked for again is made once while its stamp stays, and again when it changes or is old', () => {
  let nowMs = 0
  let made = 0
  const remember = createMemory(() => nowMs, LIMITS)
  const ask = (stamp: string) => remember('key', stamp, () => String(++made))
  remember('key', 'before', () => '')
  assert.equal(ask('a'), '1')
  assert.equal(ask('a'), '1')
  assert.equal(ask('b'), '2')
  assert.equal(ask('a'), '3')
  nowMs = 999
  assert.equal(ask('a'), '3')
  nowMs = 1_000
  assert.equal(ask('a'), '4')
})

test('what was used longest ago is forgotten first', () => {
  const remember = createMemory(() => 0, LIMITS)
  const made: string[] = []
  const ask = (key: string) =>
    remember(key, '', () => {
      made.push(key)
      return '12345'
    })
  for (const key of ['a', 'b', 'c']) remember(key, '', () => '')
  for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) ask(key)
  assert.deepEqual(made, ['a', 'b', 'c', 'b'])
})

test('what was asked for once only is not kept, so it drives out nothing', () => {
  const remember = createMemory(() => 0, LIMITS)
  const made: string[] = []
  const ask = (key: string) =>
    remember(key, '', () => {
      made.push(key)
      return '1234567890'
    })
  for (const key of ['often', 'often', 'once', 'often', 'twice', 'often']) ask(key)
  assert.deepEqual(made, ['often', 'often', 'once', 'twice'])
})

test('whatever is asked in whatever order, an answer is that of its key and stamp', () => {
  const question = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(2), fc.nat(12))
  fc.assert(
    fc.property(fc.array(question), (questions) => {
      const remember = createMemory(() => 0, LIMITS)
      for (const [key, stamp, length] of questions) {
        const body = remember(key, `${stamp} ${length}`, () => `${key}${stamp}`.padEnd(length, '.'))
        assert.equal(body, `${key}${stamp}`.padEnd(length, '.'))
      }
    }),
  )
})
