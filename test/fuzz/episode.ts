// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { CALL_ENDS } from '../../src/honeypot/calls.ts'
import { address, createTestPbx, type Received, type TestPbx } from '../../src/honeypot/fixture-pbx.ts'
import { createPersona, PERSONA_NAMES } from '../../src/honeypot/persona.ts'
import { WEAK_PASSWORDS } from '../../src/honeypot/weak-passwords.ts'
import type { Packet, Transport } from '../../src/net/packet.ts'
import { type Caller, createCaller } from './caller.ts'
import { faultOfReply } from './faithful.ts'
import { minimised } from './finding.ts'
import { faultOfEvent, faultOfLife } from './life.ts'
import type { Random } from './random.ts'
import { isSlowAgain, took } from './stall.ts'
import { type Finding, MAX_STALL_MS } from './target.ts'

/** What happened in all episodes. */
export interface Tally {
  readonly findings: Finding[]
  replies: number
  readonly statuses: Map<string, number>
  proven: number
  retransmissions: number
  slowestMs: number
  /** Inputs that were slow, and not when tried again. */
  slowOnce: number
}

/** The life of one PBX, and those who talk to it. */
export interface Episode {
  readonly sources: readonly [Source, ...Source[]]
  receive(source: Source, bytes: Buffer): void
  /** Lets time pass; what falls due happens. */
  pass(ms: number): Promise<void>
  /** Ends the PBX. */
  end(): Promise<void>
}

/** Somebody out there. */
export interface Source {
  readonly from: Pick<Packet, 'transport' | 'sourceIp' | 'sourcePort'>
  /** Null for one who never hears us, like the owner of an address that somebody forges. */
  readonly caller: Caller | null
  /** Sends as little as can be for an answer. */
  readonly isTerse: boolean
  /** Within this window. */
  sentBytes: number
  gotBytes: number
}

const WINDOW_MS = 10_000
const MORE_BYTES = 600 // than it sent: what an unproven source may get within a window (src/honeypot/budget.ts)
const SOURCES = 16

const TRANSPORTS: readonly [Transport, ...Transport[]] = ['UDP', 'UDP', 'UDP', 'UDP', 'UDP', 'TCP', 'TLS']
const NOTHING: Received = { event: null, isRetransmission: false, replies: [] }

/** Begins with a PBX of any kind. What happens goes into the tally, and what must not becomes a finding there. */
export function createEpisode(random: Random, tally: Tally): Episode {
  const persona = createPersona(random.pick(PERSONA_NAMES), random.hex(2))
  const media = createMedia()
  const pbx = createTestPbx({
    persona,
    callEnd: random.pick(['answer', 'noise', ...CALL_ENDS]),
    acceptAfter: random.below(4),
    weakPasswords: random.oneIn(6) ? WEAK_PASSWORDS : ['1234', '100'],
    openMedia: media.open,
  })
  const others = Array.from({ length: SOURCES - 1 }, (_, index) => sourceOf(random, index + 1))
  const sources: Episode['sources'] = [sourceOf(random, 0), ...others]
  let last: Buffer = Buffer.alloc(0)
  let [nowMs, windowEndsMs] = [0, WINDOW_MS]

  function found(why: string, bytes = last): void {
    const inWords = `${why} (persona ${persona.name})`
    const alone = faultOfLife(bytes, persona)
    const smallest = alone === null ? bytes : minimised(bytes, (shorter) => faultOfLife(shorter, persona) === alone)
    tally.findings.push({ target: 'pbx', why: inWords, bytes: smallest, isAlone: alone !== null })
  }

  /** `asked` is null when the reply is one that was given before. */
  function hear(source: Source, reply: Buffer, asked: Buffer | null): void {
    const text = reply.toString('latin1')
    const status = text.slice('SIP/2.0 '.length, 'SIP/2.0 200'.length)
    tally.replies++
    tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1)
    source.gotBytes += reply.length
    const why = faultOfReply(text, asked, persona)
    if (why !== null) found(why, asked ?? last)
    source.caller?.heard(text)
  }

  /** What becomes of it at once; what is sent later is heard then. */
  function deliver(source: Source, bytes: Buffer): { received: Received; atOnce: readonly Buffer[]; ms: number } {
    const atOnce: Buffer[] = []
    let isAtOnce = true
    const reply = (reply: Buffer) => {
      if (isAtOnce) return atOnce.push(reply) > 0
      if (source.caller === null) found('more than one answer to a source that has proven nothing', bytes)
      hear(source, reply, bytes)
      return true
    }
    let received = NOTHING
    const ms = took(() => {
      received = pbx.receive(bytes, { ...source.from, reply })
    })
    isAtOnce = false
    return { received, atOnce, ms }
  }

  function receive(source: Source, bytes: Buffer): void {
    last = bytes
    source.sentBytes += bytes.length
    const { received, atOnce, ms } = deliver(source, bytes)
    const { event, isRetransmission } = received
    for (const reply of atOnce) hear(source, reply, isRetransmission ? null : bytes)
    if (isRetransmission) tally.retransmissions++
    if (event?.proof === 'echo') tally.proven++
    tally.slowestMs = Math.max(tally.slowestMs, ms)
    if (ms > MAX_STALL_MS) judgeStall(source, ms)
    const why = event === null ? null : faultOfEvent(event, bytes)
    if (why !== null) found(why)
    if (source.caller !== null) return
    if (event !== null && event.proof !== 'none') found('a proof of somebody who never heard us')
    if (source.gotBytes > source.sentBytes + MORE_BYTES) found('more bytes than an unproven source may get')
  }

  /** Again on a PBX of its own, and on this one from somebody else, or it would be a retransmission. */
  function judgeStall({ from }: Source, ms: number): void {
    let sourcePort = 20_000
    const receiveAgain = (where: TestPbx) => () =>
      void where.receive(last, { ...from, sourcePort: sourcePort++, reply: () => true })
    const isSlow = isSlowAgain(receiveAgain(createTestPbx({ persona }))) || isSlowAgain(receiveAgain(pbx))
    if (isSlow) found(`slow: ${ms.toFixed(0)} ms`)
    else tally.slowOnce++
  }

  function threw(error: unknown): void {
    found(`threw ${String(error).slice(0, 200)}`)
  }

  return {
    sources,
    receive(source, bytes) {
      try {
        receive(source, bytes)
      } catch (error) {
        threw(error)
      }
    },
    async pass(ms) {
      try {
        await pbx.pass(ms)
      } catch (error) {
        threw(error)
      }
      nowMs += ms
      if (nowMs < windowEndsMs) return
      windowEndsMs = nowMs + WINDOW_MS
      for (const source of sources) source.sentBytes = source.gotBytes = 0
    },
    async end() {
      const timers = pbx.stop()
      if (timers > 0) found(`${timers} timers are left`)
      await new Promise(setImmediate) // what was on its way to a call that is over
      if (media.inUse() > 0) found(`the audio of ${media.inUse()} calls is left`)
    },
  }
}

/** Half of them never hear us. */
function sourceOf(random: Random, index: number): Source {
  const isDeaf = index % 2 === 0
  const transport = isDeaf ? 'UDP' : random.pick(TRANSPORTS)
  const place = { address: `192.0.2.${1 + index}`, port: 5_060 + index, transport }
  const from = { transport, sourceIp: address(place.address), sourcePort: place.port }
  const caller = isDeaf ? null : createCaller(random, place)
  return { from, caller, isTerse: index % 4 === 0, sentBytes: 0, gotBytes: 0 }
}

/** Audio that nobody hears, and how many calls have it. */
function createMedia() {
  let calls = 0
  return {
    inUse: () => calls,
    open: async () => {
      calls++
      let isOpen = true
      const stop = () => {
        if (isOpen) calls--
        isOpen = false
      }
      return { port: 20_000, begin() {}, stop }
    },
  }
}
