// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { HealthReport } from './api/health.ts'
import type { MetricReading } from './api/metrics.ts'
import type { Listener } from './listeners/listener.ts'
import { COUNTERS, type CounterName, type Counters } from './ops/counters.ts'
import type { Publisher } from './publish.ts'
import type { SinkFeed } from './sinks/feed.ts'

/** The parts of a node that can tell how they are doing. */
export interface Observed {
  readonly publisher: Publisher
  readonly feeds: readonly SinkFeed[]
  readonly listeners: readonly Listener[]
  readonly counters: Counters
  /** Datagrams that the kernel dropped before we could read them, as last looked up. */
  readonly kernelDrops: () => number
}

/** For `/health-check`: what is wrong now, and what was left out so far. */
export function healthReport({ publisher, feeds, counters, kernelDrops }: Observed): HealthReport {
  const dropped: Record<string, number> = { kernel_receive_buffer: kernelDrops() }
  for (const [name, row] of Object.entries(COUNTERS)) {
    if ('reason' in row) dropped[`${row.family}_${row.reason}`] = counters.get(name as CounterName) // a key of COUNTERS
  }
  return {
    notStoring: publisher.trouble()?.reason ?? null,
    sinks: feeds.map((feed) => feed.report()).map(({ name, lastError }) => ({ name, trouble: lastError })),
    dropped,
  }
}

/** For `/metrics`: every counter, and the gauges that say where something piles up. */
export function metricReadings({ publisher, feeds, listeners, counters, kernelDrops }: Observed): MetricReading[] {
  const reports = feeds.map((feed) => feed.report())
  const gauge = (name: string, help: string, values: MetricReading['values']): MetricReading => ({
    name: `sentrypeer_${name}`,
    help,
    type: 'gauge',
    values,
  })
  const total = (name: string, help: string, values: MetricReading['values']): MetricReading => ({
    name: `sentrypeer_${name}_total`,
    help,
    type: 'counter',
    values,
  })
  return [
    ...counterReadings(counters),
    total('udp_kernel_drops', 'Datagrams that the kernel dropped because the receive buffer was full', [
      { value: kernelDrops() },
    ]),
    gauge('events_waiting', 'Events that wait for the database', [{ value: publisher.pending() }]),
    gauge('storing', '1 while events can be stored, 0 while they cannot', [
      { value: publisher.trouble() === null ? 1 : 0 },
    ]),
    gauge(
      'udp_receive_buffer_bytes',
      'Receive buffer that the kernel gave',
      listeners.flatMap(({ address, port, receiveBufferBytes }) =>
        receiveBufferBytes === null ? [] : [{ labels: { address, port: String(port) }, value: receiveBufferBytes }],
      ),
    ),
    total(
      'sink_delivered',
      'Events that a sink has taken',
      reports.map(({ name, delivered }) => ({ labels: { sink: name }, value: delivered })),
    ),
    gauge(
      'sink_queued',
      'Events that wait for a sink',
      reports.map(({ name, queued }) => ({ labels: { sink: name }, value: queued })),
    ),
    total(
      'sink_dropped',
      'Events that a sink missed',
      reports.flatMap(({ name, dropped }) =>
        [...dropped].map(([reason, value]) => ({ labels: { sink: name, reason }, value })),
      ),
    ),
  ]
}

/** One metric a family. */
function counterReadings(counters: Counters): MetricReading[] {
  const families = new Map<string, { help: string; values: { labels?: Record<string, string>; value: number }[] }>()
  for (const [name, row] of Object.entries(COUNTERS)) {
    const family = families.get(row.family) ?? { help: row.help, values: [] }
    const value = counters.get(name as CounterName) // a key of COUNTERS
    family.values.push('reason' in row ? { labels: { reason: row.reason }, value } : { value })
    families.set(row.family, family)
  }
  return [...families].map(([family, { help, values }]) => ({
    name: `sentrypeer_${family}_total`,
    help,
    type: 'counter',
    values,
  }))
}
