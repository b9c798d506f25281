// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { Counter, Gauge, Registry } from 'prom-client'
import type { MetricReading } from './metrics.ts'

const LABEL = /^[\w .:/{}[\]-]{0,64}$/

/** Readings as Prometheus text, with HELP and TYPE. */
export async function metricsText(readings: readonly MetricReading[]): Promise<string> {
  const registry = new Registry()
  for (const { name, help, type, values } of readings) {
    const labelNames = [...new Set(values.flatMap(({ labels }) => Object.keys(labels ?? {})))]
    const configuration = { name, help, labelNames, registers: [registry] }
    const metric = type === 'counter' ? new Counter(configuration) : new Gauge(configuration)
    for (const { labels, value } of values) metric.inc(safeLabels(labels ?? {}), value)
  }
  return await registry.metrics()
}

// The last line of defence: a label that is not one of our own words is not passed on, whoever let it come this far.
function safeLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, text]) => [name, LABEL.test(text) ? text : 'other']))
}
