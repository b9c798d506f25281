// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKeptBytes, type Keeper } from './kept-bytes.ts'

const newKeeper = (): Keeper => ({ slab: null, slabFrom: 0, slabTo: 0 })
const bytesOf = (text: string, length: number) => Buffer.from(text.padEnd(length, '.'))

test('what is kept is read as it was, until it is dropped', () => {
  const kept = createKeptBytes()
  const [one, other] = [newKeeper(), newKeeper()]
  const bytes = Buffer.from('one')
  kept.keep(one, bytes)
  kept.keep(other, Buffer.from('other'))
  bytes.fill(0) // whose it is is up to the caller
  assert.deepEqual([kept.read(one), kept.read(other)], [Buffer.from('one'), Buffer.from('other')])
  kept.drop(one)
  kept.drop(one)
  assert.deepEqual([kept.read(one), kept.read(other)], [null, Buffer.from('other')])
})

test('what is kept last is what is read, and what was read before does not change', () => {
  const kept = createKeptBytes()
  const keeper = newKeeper()
  kept.keep(keeper, Buffer.from('180 Ringing'))
  const before = kept.read(keeper)
  kept.keep(keeper, Buffer.from('200 OK'))
  assert.deepEqual([before, kept.read(keeper)], [Buffer.from('180 Ringing'), Buffer.from('200 OK')])
})

test('many that come and go, each for as long as any other, share a few slabs, and nobody reads what another kept', () => {
  const kept = createKeptBytes()
  const slabs = new Set<unknown>()
  const living: { readonly keeper: Keeper; readonly bytes: Buffer }[] = []
  for (let number = 0; number < 20_000; number++) {
    const keeper = newKeeper()
    const bytes = bytesOf(`answer ${number}`, 200 + (number % 900))
    kept.keep(keeper, bytes)
    slabs.add(keeper.slab)
    living.push({ keeper, bytes })
    if (living.length <= 500) continue
    const oldest = living.shift()
    assert.ok(oldest)
    assert.deepEqual(kept.read(oldest.keeper), oldest.bytes)
    kept.drop(oldest.keeper)
  }
  assert.ok(slabs.size <= 12, `${slabs.size} slabs`) // 500 of them are 325 KB: six slabs, and a few that are free
})

test('slabs beyond a few go back when nobody uses them', () => {
  const kept = createKeptBytes()
  const keepers = Array.from({ length: 40 }, newKeeper)
  for (const keeper of keepers) kept.keep(keeper, bytesOf('', 60_000))
  const slabs = keepers.map(({ slab }) => slab)
  for (const keeper of keepers) kept.drop(keeper)
  assert.equal(slabs.filter((slab) => slab?.memory.detached === false).length, 5) // four, and the one that is filled
})
