// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyReply, FastifyRequest } from 'fastify'
import { shown } from '../ops/escape.ts'
import type { ApiContext } from './api-context.ts'
import { sendPage, wantsHtml } from './page.ts'
import { JSON_TYPE } from './refuse.ts'
import type { JsonSchema, Route } from './route.ts'

/** How the node is doing, as the daemon knows it. */
export interface HealthReport {
  /** Why events cannot be stored at present; null while they can. Nothing else makes the node unhealthy. */
  readonly notStoring: string | null
  /** The sinks that are on, each with what is wrong with it now; null: nothing. */
  readonly sinks: readonly { readonly name: string; readonly trouble: string | null }[]
  /** What was left out or turned away since the start, by reason: `queue_full`, `rate_limited`, `refused_connections` */
  readonly dropped: Readonly<Record<string, number>>
}

const MAX_REASON_CHARACTERS = 300
const MAX_SILENT_MS = 10_000 // chosen: a flood keeps the main thread busy for a second at most, so it is stuck then

const HEALTH_SCHEMA = {
  type: 'object',
  required: ['status', 'message', 'version'],
  properties: {
    status: { type: 'string', enum: ['OK', 'FAIL'] },
    message: { type: 'string' },
    version: { type: 'string' },
    reason: { type: 'string', description: 'Why events cannot be stored' },
    sinks: {
      type: 'array',
      description: 'Only for those who have a key, if there are keys',
      items: {
        type: 'object',
        required: ['name', 'status'],
        properties: {
          name: { type: 'string' },
          status: { type: 'string', enum: ['OK', 'FAIL'] },
          reason: { type: 'string' },
        },
      },
    },
    unanswered_seconds: {
      type: 'number',
      description: 'What receives has not answered for so long; the rest is what it told last',
    },
    dropped: {
      type: 'object',
      description: 'What was left out since the start, by reason; only for those who have a key, if there are keys',
      additionalProperties: { type: 'integer' },
    },
  },
} satisfies JsonSchema

/** `/health-check`: 503 only while events cannot be stored. */
export function healthRoute(context: ApiContext): Route {
  return {
    path: '/health-check',
    operationId: 'healthCheck',
    summary: 'Is the node well?',
    description: 'A page for a browser. Without a key, if there are keys, only status, message and version.',
    needsKey: false,
    answers: {
      200: {
        description: 'Events are being stored',
        content: { 'application/json': HEALTH_SCHEMA, 'text/html': null },
      },
      503: {
        description: 'Events cannot be stored, or what receives them has not answered for 10 seconds',
        content: { 'application/json': HEALTH_SCHEMA, 'text/html': null },
      },
    },
    handle: (request, reply) => answerHealth(context, request, reply),
  }
}

async function answerHealth(context: ApiContext, request: FastifyRequest, reply: FastifyReply): Promise<undefined> {
  const { value, silentMs } = await context.health()
  const stuck = `what receives has not answered for ${Math.round(silentMs / 1_000)} s`
  const report = silentMs < MAX_SILENT_MS ? value : { ...value, notStoring: stuck }
  const body = healthBody(report, silentMs, context.version, context.hasKey(request))
  reply.code(report.notStoring === null ? 200 : 503)
  reply.header('cache-control', 'no-store').header('vary', 'Accept, Authorization')
  if (wantsHtml(request)) {
    return sendPage(reply, `SentryPeer: ${body.status}`, [{ text: body.message }, { text: `Version ${body.version}` }])
  }
  reply.header('content-type', JSON_TYPE).send(body)
}

function healthBody(report: HealthReport, silentMs: number, version: string, withDetails: boolean) {
  const { notStoring, sinks, dropped } = report
  const verdict =
    notStoring === null
      ? { status: 'OK', message: 'Hello from SentryPeer!', version }
      : { status: 'FAIL', message: 'Events cannot be stored', version }
  if (!withDetails) return verdict
  return {
    ...verdict,
    ...(notStoring === null ? {} : { reason: shown(notStoring, MAX_REASON_CHARACTERS) }),
    ...(silentMs === 0 ? {} : { unanswered_seconds: Math.round(silentMs / 100) / 10 }),
    sinks: sinks.map(({ name, trouble }) =>
      trouble === null
        ? { name, status: 'OK' }
        : { name, status: 'FAIL', reason: shown(trouble, MAX_REASON_CHARACTERS) },
    ),
    dropped,
  }
}
