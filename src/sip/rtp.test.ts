// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createComfortNoise, type PayloadType } from './rtp.ts'

/** RFC 3550 §5.1 without what we never send: padding, extension, contributing sources. */
function strictlyParsed(packet: Buffer) {
  assert.ok(packet.length > 12, 'a header and some payload')
  assert.equal(packet.readUInt8(0), 0x80, 'version 2 and nothing else')
  return {
    marker: packet.readUInt8(1) >> 7 === 1,
    payloadType: packet.readUInt8(1) & 0x7f,
    sequence: packet.readUInt16BE(2),
    timestamp: packet.readUInt32BE(4),
    source: packet.readUInt32BE(8),
    payload: packet.subarray(12),
  }
}

/** Source 0x01020304, timestamp and sequence two packets before they wrap. */
const seed = () => Buffer.from('01020304fffffec0fffe00000007', 'hex')

function stream(payloadType: PayloadType, count: number, randomBytes: (size: number) => Buffer = seed) {
  const noise = createComfortNoise(payloadType, randomBytes)
  return Array.from({ length: count }, () => strictlyParsed(noise.next()))
}

/** G.711's decoding to 16 bits, as far as the quietest segment goes. */
function decoded(payloadType: 0 | 8, code: number): number {
  const bits = payloadType === 0 ? ~code & 0xff : code ^ 0x55
  assert.equal(bits & 0x70, 0, 'the segment of the smallest steps')
  const magnitude = payloadType === 0 ? (bits & 0x0f) * 8 : (bits & 0x0f) * 16 + 8
  return (payloadType === 0) === (bits & 0x80) > 0 ? -magnitude : magnitude
}

test('a packet has its number, its time, its source and 20 ms of sound', () => {
  const [first] = stream(0, 1)
  assert.deepEqual(
    { ...first, payload: first?.payload.length },
    { marker: true, payloadType: 0, sequence: 0xfffe, timestamp: 0xfffffec0, source: 0x01020304, payload: 160 },
  )
})

test('numbers count by one and times by 160 samples, past the end of their fields', () => {
  const packets = stream(8, 4)
  assert.deepEqual(
    packets.map(({ sequence }) => sequence),
    [0xfffe, 0xffff, 0, 1],
  )
  assert.deepEqual(
    packets.map(({ timestamp }) => timestamp),
    [0xfffffec0, 0xffffff60, 0, 160],
  )
})

test('only the first packet is marked', () => {
  assert.deepEqual(
    stream(0, 3).map(({ marker }) => marker),
    [true, false, false],
  )
})

test('after a pause the number goes on, the time has passed, and the mark says so (RFC 3551 §4.1)', () => {
  const noise = createComfortNoise(0, () => Buffer.alloc(14))
  noise.next()
  const { sequence, timestamp, marker } = strictlyParsed(noise.next(5))
  assert.deepEqual({ sequence, timestamp, marker }, { sequence: 1, timestamp: 6 * 160, marker: true })
})

test('a packet of noise level is one octet below 128 and never marked (RFC 3389 §3.1)', () => {
  const noise = createComfortNoise(13, seed)
  for (const packet of [noise.next(), noise.next(), noise.next(3)].map(strictlyParsed)) {
    assert.deepEqual([packet.payloadType, packet.marker, packet.payload], [13, false, Buffer.of(66)])
  }
})

for (const [payloadType, name] of [
  [0, 'PCMU'],
  [8, 'PCMA'],
] as const) {
  describe(name, () => {
    const samples = stream(payloadType, 50).flatMap(({ payload }) =>
      [...payload].map((code) => decoded(payloadType, code)),
    )

    test('is as loud as the noise level says', () => {
      const rms = Math.sqrt(samples.reduce((sum, sample) => sum + sample ** 2, 0) / samples.length)
      const belowFullScaleDb = -20 * Math.log10(rms / 32_768)
      assert.ok(Math.abs(belowFullScaleDb - 66) < 1.5, `${belowFullScaleDb} dB`)
      assert.ok(samples.every((sample) => Math.abs(sample) <= 24))
    })

    test('is noise: no offset, no sample that says the next', () => {
      const mean = samples.reduce((sum, sample) => sum + sample, 0) / samples.length
      assert.ok(Math.abs(mean) < 1, String(mean))
      const power = samples.reduce((sum, sample) => sum + sample ** 2, 0)
      const withNext = samples.reduce((sum, sample, at) => sum + sample * (samples[at + 1] ?? 0), 0)
      assert.ok(Math.abs(withNext / power) < 0.05, String(withNext / power))
    })

    test('is the same from the same randomness and another from another', () => {
      const other = () => Buffer.from('01020304fffffec0fffe00000008', 'hex')
      assert.deepEqual(stream(payloadType, 3), stream(payloadType, 3))
      assert.notDeepEqual(stream(payloadType, 3, other), stream(payloadType, 3))
    })
  })
}

test('randomness of nothing but zeros still makes noise', () => {
  const [packet] = stream(0, 1, (size) => Buffer.alloc(size))
  assert.ok(new Set(packet?.payload).size > 4)
})

test('any stream with any pauses passes a strict parser, in one order, from one source', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<PayloadType>(0, 8, 13),
      fc.uint8Array({ minLength: 14, maxLength: 14 }),
      fc.array(fc.nat(3_000), { minLength: 1, maxLength: 20 }),
      (payloadType, random, pauses) => {
        const noise = createComfortNoise(payloadType, () => Buffer.from(random))
        let previous: ReturnType<typeof strictlyParsed> | null = null
        for (const [at, skipped] of pauses.entries()) {
          const packet = strictlyParsed(noise.next(at === 0 ? 0 : skipped))
          assert.equal(packet.payloadType, payloadType)
          assert.equal(packet.payload.length, payloadType === 13 ? 1 : 160)
          if (previous !== null) {
            assert.equal(packet.source, previous.source)
            assert.equal((packet.sequence - previous.sequence) & 0xffff, 1)
            assert.equal((packet.timestamp - previous.timestamp) >>> 0, 160 * (skipped + 1))
          }
          previous = packet
        }
      },
    ),
  )
})
