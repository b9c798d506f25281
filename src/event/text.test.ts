// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesOfText, textOfBytes, textOfLatin1 } from './text.ts'

const raw = (byte: number) => String.fromCharCode(0xef00 + byte)

for (const [bytes, text, why] of [
  [Buffer.from('plain ASCII\r\n'), 'plain ASCII\r\n', 'ASCII is itself'],
  [Buffer.from('Grüße ☎ 😀'), 'Grüße ☎ 😀', 'UTF-8 is itself'],
  [Buffer.of(0x41, 0xfc, 0x42), `A${raw(0xfc)}B`, 'a latin1 byte becomes U+EF00 + byte'],
  [Buffer.of(0x41, 0x00, 0x42), `A${raw(0)}B`, 'NUL, at which C programs stop reading, is escaped'],
  [Buffer.from('\uef41'), raw(0xee) + raw(0xbd) + raw(0x81), 'a real U+EF41 is escaped byte by byte'],
  [Buffer.of(0xe2, 0x82), raw(0xe2) + raw(0x82), 'a cut sequence is escaped'],
  [Buffer.of(0xed, 0xa0, 0x80), raw(0xed) + raw(0xa0) + raw(0x80), 'a surrogate in UTF-8 is escaped'],
] as const) {
  test(why, () => {
    assert.equal(textOfBytes(bytes), text)
    assert.deepEqual(bytesOfText(text), bytes)
  })
}

test('any bytes come back whole, through text that is valid UTF-8 and has no NUL', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (array) => {
      const bytes = Buffer.from(array)
      const text = textOfBytes(bytes)
      assert.ok(text.isWellFormed() && !text.includes('\0') && isUtf8(Buffer.from(text)))
      assert.deepEqual(bytesOfText(text), bytes)
      assert.equal(textOfLatin1(bytes.toString('latin1')), text)
    }),
  )
})

test('a datagram of nothing but invalid bytes costs about as much as any other', () => {
  const best = (bytes: Buffer) =>
    Math.min(
      ...Array.from({ length: 7 }, () => {
        const start = performance.now()
        for (let round = 0; round < 5; round++) assert.equal(textOfBytes(bytes).length > 0, true)
        return (performance.now() - start) / 5
      }),
    )
  assert.ok(best(Buffer.alloc(60_000, 0xff)) < 5, 'it took 10 ms when the text was added up byte by byte')
})
