// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { Counter, Gauge, Registry } from 'prom-client'
import type { ApiContext } from './api-context.ts'
import { sendText } from './encoding.ts'
import type { RequestCounts } from './request-counts.ts'
import type { Route } from './route.ts'

/** One metric as it reads now. */
export interface MetricReading {
  /** `sentrypeer_` and snake case; a counter ends in `_total`. */
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  /** One value per set of labels. Labels name parts of the program, never anything that a packet or request said. */
  readonly values: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[]
}

const LABEL = /^[\w .:/{}[\]-]{0,64}$/

/** `/metrics`: the daemon's readings and the API's own, as Prometheus text. */
export function metricsRoute(context: ApiContext, requests: RequestCounts): Route {
  return {
    path: '/metrics',
    operationId: 'metrics',
    summary: 'Counters and gauges for Prometheus',
    description: 'All names begin with sentrypeer_.',
    needsKey: true,
    answers: {
      200: { description: 'Prometheus text format 0.0.4', content: { 'text/plain': null } },
    },
    handle: async (request, reply) => {
      const text = await metricsText([...context.metrics(), ...ownReadings(context, requests)])
      reply.header('cache-control', 'no-store').header('vary', 'Accept-Encoding')
      return sendText(request, reply, Registry.PROMETHEUS_CONTENT_TYPE, text)
    },
  }
}

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

function ownReadings({ reader, lists, version }: ApiContext, requests: RequestCounts): MetricReading[] {
  const { badActors, calledNumbers } = reader.totals()
  const gauge = (name: string, help: string, value: number): MetricReading => ({
    name,
    help,
    type: 'gauge',
    values: [{ value }],
  })
  return [
    {
      name: 'sentrypeer_build_info',
      help: 'Always 1; the version is its label.',
      type: 'gauge',
      values: [{ labels: { version }, value: 1 }],
    },
    gauge('sentrypeer_bad_actors', 'Distinct source addresses in the database.', badActors),
    gauge('sentrypeer_called_numbers', 'Distinct called numbers in the database.', calledNumbers),
    gauge('sentrypeer_api_lists_in_progress', 'Long answers that are being sent.', lists.inProgress()),
    {
      name: 'sentrypeer_api_lists_refused_total',
      help: 'Long answers refused because too many were being sent.',
      type: 'counter',
      values: [{ value: lists.refused() }],
    },
    {
      name: 'sentrypeer_api_requests_total',
      help: 'Answered requests by route and status; route "none" had no route.',
      type: 'counter',
      values: requests.readings(),
    },
  ]
}
