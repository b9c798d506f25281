// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** PCMU and PCMA (RFC 3551 §6), comfort noise (RFC 3389 §4); all of 8 kHz. */
export type PayloadType = 0 | 8 | 13

export interface ComfortNoise {
  /** The packet that is due now. `skipped`: how many before it were due and not sent. The caller owns the bytes. */
  next(skipped?: number): Buffer
}

/** How much audio a packet has: RFC 3551 §4.2. */
export const RTP_PACKET_MS = 20

const SAMPLES = RTP_PACKET_MS * 8 // at 8 kHz, a byte each
const HEADER_BYTES = 12
const VERSION = 2 << 6
const MARKER = 0x80

// A line on which nobody speaks: the quietest samples of G.711, at most 24 of 32768 each way, which is 66 dB below full
// scale on average (chosen). RFC 3389 §3.1 writes that number.
const QUIET = {
  0: [0xff, 0xfe, 0xfd, 0xfc, 0x7f, 0x7e, 0x7d, 0x7c],
  8: [0xd5, 0xd4, 0x55, 0x54, 0xd5, 0xd4, 0x55, 0x54], // the sign and even bits of A-law are inverted
} as const
const NOISE_LEVEL = 66

/**
 * A stream of RTP packets (RFC 3550 §5.1), each with 20 ms of very quiet noise: 172 bytes with samples, 13 with the
 * noise level alone. Everything random comes from the first 14 of `randomBytes`, `node:crypto`'s: same bytes, same
 * stream.
 */
export function createComfortNoise(payloadType: PayloadType, randomBytes: (size: number) => Buffer): ComfortNoise {
  const seed = randomBytes(14)
  // RFC 3550 §5.1: all three SHOULD begin anywhere.
  const source = seed.readUInt32BE(0)
  let timestamp = seed.readUInt32BE(4)
  let sequence = seed.readUInt16BE(8)
  const payload =
    payloadType === 13 ? () => Buffer.of(NOISE_LEVEL) : quietSamples(QUIET[payloadType], seed.readUInt32BE(10))
  let isFirst = true
  return {
    next(skipped = 0) {
      timestamp = (timestamp + skipped * SAMPLES) >>> 0 // the time goes on, the numbers do not: nothing was lost
      // RFC 3551 §4.1: marks where sound begins after a pause. A packet of noise level is the pause.
      const marks = payloadType !== 13 && (isFirst || skipped > 0)
      const header = Buffer.alloc(HEADER_BYTES)
      header[0] = VERSION
      header[1] = payloadType | (marks ? MARKER : 0)
      header.writeUInt16BE(sequence, 2)
      header.writeUInt32BE(timestamp, 4)
      header.writeUInt32BE(source, 8)
      isFirst = false
      sequence = (sequence + 1) & 0xffff
      timestamp = (timestamp + SAMPLES) >>> 0
      return Buffer.concat([header, payload()])
    },
  }
}

function quietSamples(codes: readonly number[], seed: number): () => Buffer {
  let state = seed === 0 ? 1 : seed // the generator stays at 0 for ever
  return () => {
    const samples = Buffer.alloc(SAMPLES)
    for (let at = 0; at < SAMPLES; at++) {
      // xorshift32 (Marsaglia, 2003): noise needs no secrecy
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      samples[at] = codes[state >>> 29] ?? 0 // its three highest bits
    }
    return samples
  }
}
