// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

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

const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8' // Prometheus, "Exposition formats"

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
      const { value, silentMs } = await context.metrics()
      const { metricsText } = await import('./metrics-text.ts') // read in by the first who asks
      const text = await metricsText([...value, ...ownReadings(context, requests, silentMs)])
      reply.header('cache-control', 'no-store').header('vary', 'Accept-Encoding')
      return sendText(request, reply, TEXT_FORMAT, text)
    },
  }
}

function ownReadings(context: ApiContext, requests: RequestCounts, silentMs: number): MetricReading[] {
  const { reader, lists, version } = context
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
    gauge('sentrypeer_api_list_thread', '1 while there is a thread that makes lists.', context.isMakingLists() ? 1 : 0),
    gauge(
      'sentrypeer_unanswered_seconds',
      'For so long has what receives not answered, and its readings here are old; 0 while it answers.',
      silentMs / 1_000,
    ),
    {
      name: 'sentrypeer_api_rate_limited_total',
      help: 'Requests answered 429: their client asked too often.',
      type: 'counter',
      values: [{ value: context.rateLimited() }],
    },
    {
      name: 'sentrypeer_api_connections_refused_total',
      help: 'Connections closed at once: their client, or all together, had too many.',
      type: 'counter',
      values: [{ value: context.connectionsRefused() }],
    },
    {
      name: 'sentrypeer_api_lists_refused_total',
      help: 'Long answers refused: their client or all together had too many, the log was long, what makes them had failed.',
      type: 'counter',
      values: Object.entries(lists.refused()).map(([reason, value]) => ({ labels: { reason }, value })),
    },
    {
      name: 'sentrypeer_api_requests_total',
      help: 'Answered requests by route and status; route "none" had no route.',
      type: 'counter',
      values: requests.readings(),
    },
  ]
}
