// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Kind, Sample } from './quiet-client.ts'

/** A span of the clock on the wall in which the database was locked. */
export interface Span {
  readonly fromMs: number
  readonly toMs: number
}

// Chosen: what a person would notice. The machine may be shared, so these are far above what a quiet one shows.
const MAX_P99_MS: Readonly<Record<Kind, number>> = { reply: 1_000, ping: 250, 'look-up': 1_000 }
const MAX_STALL_MS = 1_500
const MAX_UNANSWERED = 0.02 // of datagrams: the kernel drops some in each flood
const AFTER_LOCK_MS = 3_000 // what was asked before its end is answered or given up by then

export const KINDS: readonly Kind[] = ['reply', 'ping', 'look-up']

export interface Percentiles {
  readonly count: number
  readonly unanswered: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly most: number
}

export function percentiles(samples: readonly Sample[]): Percentiles {
  const ms = samples.flatMap((sample) => (sample.ms === null ? [] : [sample.ms])).sort((one, other) => one - other)
  const at = (part: number) => ms[Math.floor((ms.length - 1) * part)] ?? Number.NaN
  return {
    count: ms.length,
    unanswered: samples.length - ms.length,
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    most: at(1),
  }
}

/** Those of one kind; replies without the spans in which nothing could be stored, since answered means stored. */
export function samplesOf(kind: Kind, samples: readonly Sample[], locks: readonly Span[]): Sample[] {
  const ofKind = samples.filter((sample) => sample.kind === kind)
  if (kind !== 'reply') return ofKind
  return ofKind.filter(({ atMs }) => !locks.some(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs + AFTER_LOCK_MS))
}

export function faultsOfTimes(samples: readonly Sample[], locks: readonly Span[]): string[] {
  return KINDS.flatMap((kind) => {
    const { count, unanswered, p99, most } = percentiles(samplesOf(kind, samples, locks))
    if (count === 0) return [`the quiet client had no ${kind} at all`]
    const allowed = kind === 'reply' ? (count + unanswered) * MAX_UNANSWERED : 0
    return [
      ...(p99 > MAX_P99_MS[kind] ? [`p99 of a ${kind} was ${p99.toFixed(0)} ms, more than ${MAX_P99_MS[kind]}`] : []),
      ...(kind === 'ping' && most > MAX_STALL_MS ? [`the event loop stood still for ${most.toFixed(0)} ms`] : []),
      ...(unanswered > allowed ? [`${unanswered} of ${count + unanswered} times no ${kind} came`] : []),
    ]
  })
}
