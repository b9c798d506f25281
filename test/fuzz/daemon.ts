// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import { ASTERISK } from '../../src/honeypot/fixture-pbx.ts'
import { minimised } from './finding.ts'
import { type Expected, floodTcp, floodUdp } from './flood.ts'
import { faultOfLife } from './life.ts'
import { type NodeUnderTest, startNode } from './node.ts'
import { faultOfMessage } from './parser.ts'
import { type Pulse, type Stall, startPulse } from './pulse.ts'
import { type Campaign, createPace, type Finding, type Outcome, type Pace } from './target.ts'

const MAX_RATE = { udp: 6_000, tcp: 3_000 } // a second; chosen: others use the machine too
const MAX_BURST_MS = 10 // of what the rate allows, at once
const REMEMBERED = 2_000 // inputs, of which one may have been the culprit
const LAST_WORDS = 20 // of those, what is kept when the node has died
const MAX_STALLS = 20 // of which the inputs are kept
const BEFORE_MS = 100 // a stall began, its culprit may have been sent
const MAX_RESIDENT_MIB = 512
const LOOK_EVERY_MS = 500
const SETTLED_WITHIN_MS = 60_000

/** A node of its own with all its sockets and its store: it lives, it turns, and in the end it has counted everything. */
export async function fuzzDaemon(target: 'udp' | 'tcp', campaign: Campaign): Promise<Outcome> {
  const node = await startNode()
  const memory = watchMemory(node)
  const suspects = createSuspects()
  const pulse = await startPulse(node.ports.tcp, node.pid, suspects.keepStalled)
  const pace = createPace(campaign)
  const flood = target === 'udp' ? floodUdp : floodTcp
  const expected = await flood({
    campaign,
    pace,
    port: node.ports[target],
    mayGoOn: throttle(MAX_RATE[target], pace, pulse, node),
    onSent: suspects.add,
  })
  const tookMs = pace.elapsedMs()
  pulse.stop()
  const faults: string[] = []
  if (!node.isOver()) faults.push(...(await faultsOfAccount(node, expected)))
  const isDead = node.isOver()
  const counts = isDead ? new Map<string, number>() : await node.counts()
  memory.stop()
  const ending = await node.stop()
  if (ending !== null) faults.push(ending)
  if (memory.mostMib() > MAX_RESIDENT_MIB) faults.push(`${memory.mostMib().toFixed(0)} MiB resident`)
  return {
    inputs: pace.inputs(),
    tookMs,
    findings: [
      ...faults.map((why) => findingOf(target, why, suspects.last(1)[0])),
      ...(isDead ? suspects.last(LAST_WORDS).map((bytes) => findingOf(target, 'sent shortly before', bytes)) : []),
      ...suspects.guilty(target),
    ],
    figures: { counted: accountText(counts), replies: repliesText(counts), pulse: pulse.text(), memory: memory.text() },
  }
}

/** Lets as many pass as the rate allows and the node can take; what was missed is not made up for. */
function throttle(perS: number, pace: Pace, pulse: Pulse, node: NodeUnderTest): () => Promise<boolean> {
  let nextMs = performance.now()
  const isOver = () => node.isOver() || node.spokeOfBug() || pace.isOver() // while the culprit is remembered
  return async () => {
    if (pace.inputs() % 16 === 0) await turn()
    while (!isOver() && (performance.now() < nextMs || pulse.isBehind())) await delay(1)
    nextMs = Math.max(nextMs + 1_000 / perS, performance.now() - MAX_BURST_MS)
    return !isOver()
  }
}

/** The inputs that were sent last, and those around stalls. */
function createSuspects() {
  const sent: { readonly atMs: number; readonly bytes: Buffer }[] = []
  const stalled = new Set<Buffer>()
  let stalls = 0
  return {
    add(bytes: Buffer) {
      sent.push({ atMs: performance.now(), bytes })
      if (sent.length >= REMEMBERED * 2) sent.splice(0, REMEMBERED)
    },
    keepStalled({ atMs, ms }: Stall) {
      if (++stalls > MAX_STALLS) return
      for (const one of sent) if (one.atMs > atMs - ms - BEFORE_MS) stalled.add(one.bytes)
    },
    last: (count: number) => sent.slice(-count).map(({ bytes }) => bytes),
    /** Those of which something is wrong in this process too, one for each thing that is wrong. */
    guilty(target: string): Finding[] {
      const byWhy = new Map<string, Finding>()
      for (const bytes of [...stalled, ...sent.map((one) => one.bytes)]) {
        const why = faultAlone(bytes)
        if (why === null || byWhy.has(why)) continue
        const smallest = minimised(bytes, (shorter) => faultAlone(shorter) === why)
        byWhy.set(why, { target, why, bytes: smallest, isAlone: true })
      }
      return [...byWhy.values()]
    },
  }
}

function faultAlone(bytes: Buffer): string | null {
  return faultOfMessage(bytes) ?? faultOfLife(bytes, ASTERISK)
}

function findingOf(target: string, why: string, bytes: Buffer = Buffer.alloc(0)): Finding {
  return { target, why, bytes, isAlone: false }
}

const PARTS = [
  'keep_alives_total',
  'retransmissions_total',
  'packets_failed_total',
  'events_stored_total',
  'events_folded_total',
  'events_dropped_total',
  'events_waiting',
] as const

const FAILURES = ['packets_failed_total', 'answers_failed_total'] as const

/** Received is the sum of what became of it, and is what was sent; nothing made the program fail. */
async function faultsOfAccount(node: NodeUnderTest, { atLeast, atMost }: Expected): Promise<string[]> {
  const untilMs = performance.now() + SETTLED_WITHIN_MS
  for (;;) {
    const counts = await node.counts()
    const of = (name: string) => counts.get(name) ?? 0
    const packets = of('packets_received_total')
    const received = packets + of('udp_kernel_drops_total') - 1 // of the pulse
    const sum = PARTS.reduce((total, name) => total + of(name), 0)
    const isAllThere = received >= atLeast && received <= atMost
    // What the kernel dropped is looked up now and then only, and the last events wait for their commit.
    if ((!isAllThere || of('events_waiting') > 0) && performance.now() < untilMs) {
      await delay(LOOK_EVERY_MS)
      continue
    }
    return [
      ...(sum === packets ? [] : [`counted ${sum} of ${packets} received`]),
      ...(isAllThere ? [] : [`${received} received of ${atLeast} to ${atMost} sent`]),
      ...FAILURES.filter((name) => of(name) !== 0).map((name) => `${name} is ${of(name)}`),
    ]
  }
}

function accountText(counts: Map<string, number>): string {
  const names = ['packets_received_total', 'udp_kernel_drops_total', ...PARTS, 'transactions_dropped_total']
  return names.map((name) => `${name.replace('_total', '')} ${counts.get(name) ?? 0}`).join(', ')
}

function repliesText(counts: Map<string, number>): string {
  const names = ['replies_sent_total', 'replies_suppressed_total', 'replies_not_sent_total', 'socket_errors_total']
  const more = ['connections_accepted_total', 'connections_refused_total', 'connections_ended_total']
  return [...names, ...more].map((name) => `${name.replace('_total', '')} ${counts.get(name) ?? 0}`).join(', ')
}

function watchMemory(node: NodeUnderTest) {
  const samples: number[] = []
  const timer = setInterval(() => samples.push(node.residentMib()), LOOK_EVERY_MS)
  const at = (part: number) => (samples[Math.floor((samples.length - 1) * part)] ?? 0).toFixed(0)
  return {
    mostMib: () => Math.max(0, ...samples),
    text: () =>
      `${at(0.25)}, ${at(0.5)}, ${at(0.75)}, ${at(1)} MiB resident after each quarter, at most ${Math.max(0, ...samples).toFixed(0)}`,
    stop: () => clearInterval(timer),
  }
}
