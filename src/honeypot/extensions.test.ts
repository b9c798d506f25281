// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createExtensions, type Extensions, listedExtensions } from './extensions.ts'

const seeds = Array.from({ length: 300 }, (_, index) => index.toString(16).padStart(32, '0'))
const seed = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const USUAL = ['admin', 'reception', 'fax', 'conference', 'operator', 'sales', 'support', 'voicemail', 'test', 'guest']

function existing({ exists }: Extensions, first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, index) => String(first + index)).filter(exists)
}

test('100 exists on every node, and of 100 to 120 between 6 and 15 do', () => {
  fc.assert(
    fc.property(seed, (value) => {
      const extensions = createExtensions(value)
      const count = existing(extensions, 100, 120).length
      return extensions.exists('100') && count >= 6 && count <= 15
    }),
  )
})

test('there is a block from 200 that is thinner than the one from 100', () => {
  for (const value of seeds) {
    const extensions = createExtensions(value)
    const thin = existing(extensions, 200, 259)
    assert.ok(thin.length >= 2 && thin.length <= 20, thin.join())
    assert.deepEqual(existing(extensions, 160, 199), [])
    assert.deepEqual(existing(extensions, 260, 999), [])
  }
})

test('there is one block of 10 to 40 four-digit extensions, with holes', () => {
  const beginnings = new Set<number>()
  let holes = 0
  for (const value of seeds) {
    const block = existing(createExtensions(value), 1000, 9999).map(Number)
    assert.ok(block.length >= 10 && block.length <= 40, `${block.length}`)
    const [first = 0, last = 0] = [block[0], block.at(-1)]
    beginnings.add(Math.floor(first / 1000))
    assert.ok(last - first < 80, `${first} to ${last}`)
    if (last - first + 1 > block.length) holes++
  }
  assert.ok(holes > seeds.length * 0.9)
  assert.deepEqual([...beginnings].sort(), [1, 2, 6, 7])
})

test('some usual names exist, never many', () => {
  const counts = seeds.map((value) => USUAL.filter(createExtensions(value).exists).length)
  assert.ok(counts.every((count) => count <= 4))
  assert.ok(counts.filter((count) => count > 0).length > seeds.length / 2)
})

test('a number with five digits or more, and one with a leading zero, never exists', () => {
  fc.assert(
    fc.property(
      seed,
      fc.stringMatching(/^(?:\d{5,12}|0\d{0,3})$/),
      (value, user) => !createExtensions(value).exists(user),
    ),
  )
})

test('a node has the same extensions after each start', () => {
  fc.assert(
    fc.property(seed, (value) => {
      assert.deepEqual(existing(createExtensions(value), 0, 9999), existing(createExtensions(value), 0, 9999))
    }),
    { numRuns: 20 },
  )
})

test('300 nodes have 300 different sets of extensions', () => {
  assert.equal(new Set(seeds.map((value) => existing(createExtensions(value), 0, 9999).join())).size, seeds.length)
})

for (const [user, internal] of [
  ['1', true],
  ['100', true],
  ['123456', true],
  ['1234567', false],
  ['', false],
  ['admin', false],
  ['+100', false],
  ['10\n', false],
] as const) {
  test(`${JSON.stringify(user)} ${internal ? 'looks' : 'does not look'} like an extension`, () => {
    assert.equal(createExtensions('0').isInternal(user), internal)
  })
}

for (const [list, there, absent, why] of [
  ['100-110,200,reception', ['100', '105', '110', '200', 'reception'], ['99', '111', '201', 'Reception'], 'as written'],
  [' 100 , 7000-7001 ', ['100', '7000', '7001'], ['7002', ' 100 '], 'with blanks around commas'],
  ['001-012', ['001', '009', '012'], ['1', '12'], 'with leading zeros'],
  ['442079460123', ['442079460123'], ['100'], 'of any length'],
  ['box-1', ['box-1'], ['box'], 'with a hyphen in a name'],
] as const) {
  test(`the list ${JSON.stringify(list)} is taken ${why}`, () => {
    const read = listedExtensions(list)
    assert.ok(read.kind === 'extensions')
    const { extensions } = read
    for (const user of there) assert.ok(extensions.exists(user), user)
    for (const user of absent) assert.ok(!extensions.exists(user), user)
    assert.ok(extensions.isInternal('999'))
  })
}

for (const [list, detail, why] of [
  ['', /"" is no extension/, 'is empty'],
  ['100,,101', /"" is no extension/, 'has nothing between two commas'],
  ['100 101', /"100 101" is no extension/, 'has blanks instead of commas'],
  ['110-100', /110-100 ends before it begins/, 'has a range backwards'],
  ['1-100', /1-100: both ends/, 'has a range whose ends differ in length'],
  ['1000000000000000-1000000000000009', /more digits than/, 'has a range of numbers that are too long'],
  ['10000-99999', /more than 10000/, 'has a range that is too long'],
  ['10000-16000,20000-26000', /more than 10000/, 'has too many in all'],
  ['a@b', /"a@b" is no extension/, 'has a character that users do not have'],
] as const) {
  test(`a list that ${why} is refused`, () => {
    const read = listedExtensions(list)
    assert.ok(read.kind === 'fault')
    assert.match(read.detail, detail)
  })
}
