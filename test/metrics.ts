// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import type { DaemonProcess } from './daemon-process.ts'

/** What `/metrics` says, by the name and labels of each sample as they are written. */
export type Metrics = ReadonlyMap<string, number>

/** The daemon has to have its API on 127.0.0.1. */
export async function metricsOf(daemon: DaemonProcess): Promise<Metrics> {
  const answer = await fetch(`http://127.0.0.1:${daemon.port('HTTP')}/metrics`, { signal: AbortSignal.timeout(10_000) })
  assert.equal(answer.status, 200)
  const samples = (await answer.text()).matchAll(/^(sentrypeer_\S+?(?:\{.*\})?) (\S+)$/gm)
  return new Map([...samples].map(([, name = '', value]) => [name, Number(value)]))
}

/** The sum of a metric over its labels; `name` goes without `sentrypeer_`. */
export function sumOf(metrics: Metrics, name: string): number {
  const full = `sentrypeer_${name}`
  const values = [...metrics].filter(([sample]) => sample === full || sample.startsWith(`${full}{`))
  assert.ok(values.length > 0, `there is no metric ${full}`)
  return values.reduce((sum, [, value]) => sum + value, 0)
}

// What becomes of a packet that was received: src/ops/counters.ts has the equation.
const PARTS = [
  'keep_alives_total',
  'retransmissions_total',
  'packets_failed_total',
  'events_stored_total',
  'events_folded_total',
  'events_dropped_total',
  'events_waiting',
]

/** What was received, and the sum of what became of it. */
export function accountOf(metrics: Metrics): { readonly received: number; readonly accounted: number } {
  return {
    received: sumOf(metrics, 'packets_received_total'),
    accounted: PARTS.reduce((sum, name) => sum + sumOf(metrics, name), 0),
  }
}
