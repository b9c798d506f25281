// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyReply, FastifyRequest } from 'fastify'
import { parseIp } from '../net/ip.ts'
import type { EventQuery } from '../store/store.ts'
import type { ApiContext } from './api-context.ts'
import { entityTag, sentNotModified } from './conditional.ts'
import { CURSOR_PATTERN, decodeCursor, MAX_CURSOR_LENGTH } from './cursor.ts'
import { EVENT_SCHEMA } from './event-body.ts'
import { SINCE_PARAMETER, storedTime } from './list-answer.ts'
import type { ParameterSchemas, ParameterValues } from './parameters.ts'
import { INVALID_REQUEST, JSON_TYPE, refusal, refuse } from './refuse.ts'
import type { JsonSchema, Route } from './route.ts'

const PARAMETERS = {
  ip: { description: 'an IP address', type: 'string', pattern: '.', maxLength: 100 },
  number: { description: 'a number exactly as dialled', type: 'string', pattern: '.', maxLength: 256 },
  method: { description: 'a SIP method', type: 'string', pattern: '.', maxLength: 256 },
  min_proof: {
    description: 'Only events whose source is at least this sure not to be forged',
    type: 'string',
    enum: ['none', 'echo', 'handshake'],
    default: 'none',
  },
  credentials: {
    description: '`true`: only events with the credentials of a digest answer',
    type: 'string',
    enum: ['true', 'false'],
    default: 'false',
  },
  since: { ...SINCE_PARAMETER, description: 'a UTC time as in 2026-01-31 or 2026-01-31T23:59:59.5Z' },
  limit: {
    description: 'At most this many; a page also ends at about 4 MB of messages',
    type: 'integer',
    minimum: 1,
    maximum: 1_000,
    default: 100,
  },
  cursor: {
    description: 'the `next_cursor` of the page before, with the same other parameters',
    type: 'string',
    pattern: CURSOR_PATTERN,
    maxLength: MAX_CURSOR_LENGTH,
  },
} as const satisfies ParameterSchemas

const EVENTS_SCHEMA = {
  type: 'object',
  required: ['events', 'next_cursor'],
  properties: {
    events: { type: 'array', items: EVENT_SCHEMA },
    next_cursor: { type: ['string', 'null'], description: 'Pass it as `cursor` for the next page; null on the last' },
  },
} satisfies JsonSchema

/** `/events`: the evidence itself. */
export function eventsRoute(context: ApiContext): Route {
  return {
    path: '/events',
    operationId: 'listEvents',
    summary: 'Events, newest first',
    description:
      'Each as the JSON log has it, with the whole message and how often it arrived again. ' +
      'A page may be short, or even empty, and still go on.',
    needsKey: true,
    query: PARAMETERS,
    answers: {
      200: { description: 'One page', content: { 'application/json': EVENTS_SCHEMA } },
      503: refusal('Too many lists are being sent; see Retry-After'),
    },
    handle: (request, reply) => answerEvents(context, request, reply),
  }
}

function answerEvents({ reader, start, lists }: ApiContext, request: FastifyRequest, reply: FastifyReply): undefined {
  const query = eventQuery(request.query as ParameterValues<typeof PARAMETERS>) // checked by the server
  if (typeof query === 'string') return refuse(reply, 400, INVALID_REQUEST, query)
  if (sentNotModified(request, reply, entityTag(request, start, reader.version()))) return
  return lists.send(request, reply, { kind: 'events', query }, { type: JSON_TYPE, none: 'No events found' })
}

/** The store's question, or what is wrong with ours. */
function eventQuery(values: ParameterValues<typeof PARAMETERS>): EventQuery | string {
  const ip = values.ip === undefined ? null : parseIp(values.ip)
  if (values.ip !== undefined && ip === null) return 'ip must be an IP address'
  const [before] = values.cursor === undefined ? [] : (decodeCursor(values.cursor, 1) ?? [])
  if (values.cursor !== undefined && !/^\d{1,15}$/.test(before ?? '')) {
    return 'cursor must be the next_cursor of a page of events'
  }
  return {
    limit: values.limit,
    ...(ip === null ? {} : { ip }),
    ...(values.number === undefined ? {} : { number: values.number }),
    ...(values.method === undefined ? {} : { method: values.method }),
    ...(values.since === undefined ? {} : { since: storedTime(values.since) }),
    ...(values.min_proof === 'none' ? {} : { minProof: values.min_proof }),
    ...(values.credentials === 'true' ? { withCredentials: true } : {}),
    ...(before === undefined ? {} : { before: Number(before) }),
  }
}
