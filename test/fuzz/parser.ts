// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createFramer, type Frame } from '../../src/sip/framing.ts'
import { allHeaders, type ParsedPacket, type SipRequest, type SipResponse } from '../../src/sip/message.ts'
import { parseMessage } from '../../src/sip/parse.ts'
import { writeMessage } from '../../src/sip/write.ts'
import { guarded, minimised } from './finding.ts'
import { createMemoryWatch } from './memory.ts'
import { createMutator } from './mutate.ts'
import { createRandom, type Random } from './random.ts'
import { isSlowAgain, took } from './stall.ts'
import { type Campaign, createPace, type Finding, MAX_STALL_MS, type Outcome } from './target.ts'

const SAMPLE_EVERY = 100_000
const MAX_FINDINGS = 5
const LIMITS = { maxHeadBytes: 2_000, maxBodyBytes: 500 } // so low that they are reached

/** Parser and framer alone: every input is read as a datagram, and a few together as a stream that is cut anywhere. */
export function fuzzParser(campaign: Campaign): Outcome {
  const random = createRandom(campaign.seed, 1)
  const mutator = createMutator(random, campaign.corpus)
  const memory = createMemoryWatch()
  const pace = createPace(campaign)
  const findings: Finding[] = []
  let slowestMs = 0
  let sound = 0
  let stream: Buffer[] = []

  /** Whether nothing is wrong with it. */
  function isFine(bytes: Buffer, faultOf: (bytes: Buffer) => string | null): boolean {
    let why: string | null = null
    const ms = took(() => {
      why = faultOf(bytes)
    })
    slowestMs = Math.max(slowestMs, ms)
    if (ms > MAX_STALL_MS && isSlowAgain(() => void faultOf(bytes))) why = `slow: ${ms.toFixed(0)} ms`
    if (why === null) return true
    const smallest = minimised(bytes, (shorter) => faultOf(shorter) === why)
    findings.push({ target: 'parser', why, bytes: smallest, isAlone: true })
    return false
  }

  while (pace.another() && findings.length < MAX_FINDINGS) {
    const bytes = mutator.any()
    if (!isFine(bytes, faultOfMessage)) continue
    const { kind } = parseMessage(bytes)
    if (kind === 'request' || kind === 'response') sound++
    stream.push(bytes)
    if (random.oneIn(3) || stream.length > 4) {
      const cuts = createRandom(random.below(2 ** 31))
      isFine(Buffer.concat(stream), (whole) => faultOfStream(whole, cuts))
      stream = []
    }
    if (pace.inputs() % SAMPLE_EVERY === 0) memory.sample()
  }
  memory.sample()
  const grown = memory.fault()
  if (grown !== null) findings.push({ target: 'parser', why: grown, bytes: Buffer.alloc(0), isAlone: false })
  return {
    inputs: pace.inputs(),
    tookMs: pace.elapsedMs(),
    findings,
    figures: { sound, slowestMs: slowestMs.toFixed(1), memory: memory.text() },
  }
}

/** What is wrong with what is read of one datagram, or null. */
export function faultOfMessage(bytes: Buffer): string | null {
  return guarded(() => faultOfReading(bytes))
}

function faultOfReading(bytes: Buffer): string | null {
  const parsed = parseMessage(bytes)
  if (parsed.kind === 'keep-alive') return null
  const message = parsed.kind === 'fault' ? parsed.message : parsed
  if (parsed.kind === 'fault' && !(parsed.offset >= 0 && parsed.offset <= bytes.length))
    return 'a fault outside the packet'
  if (message === null) return null
  const { bodyStart, bodyEnd, spans, names } = message
  if (!(bodyStart >= 0 && bodyStart <= bodyEnd && bodyEnd <= bytes.length)) return 'a body outside the packet'
  if (spans.length !== names.length * 4) return 'a header without its place'
  if (spans.some((at, index) => at < (spans[index - 1] ?? 0) || at > bodyStart)) return 'a header outside the head'
  return parsed.kind === 'fault' || parsed.kind !== message.kind ? null : faultOfCopy(message, bytes)
}

/** A sound message means the same when it is written and read again. */
function faultOfCopy(message: SipRequest | SipResponse, bytes: Buffer): string | null {
  const body = bytes.subarray(message.bodyStart, message.bodyEnd)
  const written = writeMessage(message, body)
  const again = parseMessage(written)
  if (again.kind !== message.kind) return `written again it is ${kindOf(again)}`
  if (meaningOf(again) !== meaningOf(message)) return 'written again it means something else'
  return body.equals(written.subarray(again.bodyStart, again.bodyEnd)) ? null : 'written again it has another body'
}

function kindOf(parsed: ParsedPacket): string {
  return parsed.kind === 'fault' ? parsed.code : parsed.kind
}

function meaningOf(message: SipRequest | SipResponse): string {
  const start =
    message.kind === 'request' ? [message.method, message.requestUri] : [message.status, message.reasonPhrase]
  const headers = allHeaders(message).map(({ name, value }) => `${name}: ${value}`)
  return [...start, ...headers.filter((line) => !/^(?:content-length|l)[ \t]*:/i.test(line))].join('\0')
}

/** The same bytes give the same frames however they are cut. */
export function faultOfStream(stream: Buffer, random: Random): string | null {
  return guarded(() => faultOfCuts(stream, random))
}

function faultOfCuts(stream: Buffer, random: Random): string | null {
  const whole = framed(stream, [])
  const cuts = Array.from({ length: 1 + random.below(8) }, () => random.below(stream.length + 1))
  const inParts = framed(
    stream,
    cuts.sort((one, other) => one - other),
  )
  if (whole.isLost !== inParts.isLost) return 'whether the frame is lost depends on how the stream was cut'
  if (whole.frames.length !== inParts.frames.length)
    return 'how many frames there are depends on how the stream was cut'
  return whole.frames.every((frame, index) => isSame(frame, inParts.frames[index]))
    ? null
    : 'what is in a frame depends on how the stream was cut'
}

function framed(stream: Buffer, cuts: readonly number[]) {
  const framer = createFramer(LIMITS)
  const frames: Frame[] = []
  let from = 0
  for (const to of [...cuts, stream.length]) {
    frames.push(...framer.push(Buffer.from(stream.subarray(from, to)))) // the chunk is the framer's own
    from = to
  }
  return { isLost: framer.isLost(), frames: [...frames, ...framer.end()] }
}

function isSame(one: Frame, other: Frame | undefined): boolean {
  if (one.kind !== 'message' || other?.kind !== 'message') return one.kind === other?.kind
  return one.complete === other.complete && one.bytes.equals(other.bytes)
}
