// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HEADER_NAMES, type HeaderName, headerNumber, ODDLY_SPELLED } from './header-name.ts'

const numberOf = (name: string) => headerNumber(Buffer.from(name, 'latin1'), 0, name.length)

function named(name: string): HeaderName | null {
  const number = numberOf(name)
  return number === -1 ? null : (HEADER_NAMES[number % ODDLY_SPELLED] ?? null)
}

for (const name of HEADER_NAMES) {
  test(`${name} is known in any case, wherever it stands`, () => {
    const upper = name.toUpperCase()
    const mixed = [...name].map((letter, index) => (index % 2 === 0 ? letter.toUpperCase() : letter)).join('')
    for (const spelling of [name, upper, mixed]) {
      assert.equal(named(spelling), name)
      const number = headerNumber(Buffer.from(`xx${spelling}xx`), 2, 2 + name.length)
      assert.equal(number, numberOf(spelling))
    }
  })
}

for (const [name, spelling] of [
  ['call-id', 'Call-ID'],
  ['cseq', 'CSeq'],
  ['max-forwards', 'Max-Forwards'],
  ['via', 'Via'],
] as const) {
  test(`${spelling} is spelled as in RFC 3261, and no other spelling of it is`, () => {
    assert.equal(numberOf(spelling), HEADER_NAMES.indexOf(name))
    for (const other of [name, spelling.toUpperCase(), `${spelling.slice(0, -1)}${spelling.at(-1)?.toUpperCase()}`]) {
      if (other !== spelling) assert.equal(numberOf(other), HEADER_NAMES.indexOf(name) + ODDLY_SPELLED)
    }
  })
}

for (const [letter, name] of [
  ['c', 'content-type'],
  ['f', 'from'],
  ['i', 'call-id'],
  ['k', 'supported'],
  ['l', 'content-length'],
  ['m', 'contact'],
  ['o', 'event'],
  ['s', 'subject'],
  ['t', 'to'],
  ['v', 'via'],
] as const) {
  test(`${letter} is short for ${name} (RFC 3261 §7.3.3, RFC 6665 §8.2.1)`, () => {
    assert.equal(named(letter), name)
    assert.equal(named(letter.toUpperCase()), name)
  })
}

for (const name of [
  '',
  'a',
  'x',
  'vi',
  'viaa',
  'to ',
  'call_id',
  'call-ie',
  '__proto__',
  'constructor',
  '\xd6',
  '1',
  '@ia',
  'VI\x01',
]) {
  test(`${JSON.stringify(name)} is none of the headers that are read`, () => assert.equal(named(name), null))
}

test('a name is known exactly when it is one of the list in lower case', () => {
  const known = new Set<string>(HEADER_NAMES)
  const letters = fc.string({ unit: fc.constantFrom(...'toviacrmTOVIACRM-_\x00\xc1'), minLength: 2, maxLength: 4 })
  const nearly = fc.constantFrom(...HEADER_NAMES).chain((name) => fc.mixedCase(fc.constant(name)))
  const touched = fc
    .tuple(nearly, fc.nat(13), fc.nat(255))
    .map(([name, at, code]) => name.slice(0, at) + String.fromCharCode(code) + name.slice(at + 1))
  fc.assert(
    fc.property(fc.oneof(letters, nearly, touched), (name) => {
      const lower = name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
      assert.equal(named(name), known.has(lower) ? (lower as HeaderName) : null)
    }),
  )
})
