// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyReply, FastifyRequest } from 'fastify'
import { PROOF_LEVELS } from '../event/event.ts'
import type { ListQuery } from '../store/store.ts'
import type { ApiContext } from './api-context.ts'
import { entityTag, sentNotModified } from './conditional.ts'
import { CURSOR_PATTERN, MAX_CURSOR_LENGTH, readPosition } from './cursor.ts'
import type { ListJob } from './list-job.ts'
import { type ListName, totalOf } from './list-kind.ts'
import type { ParameterSchemas, ParameterValues } from './parameters.ts'
import { INVALID_REQUEST, JSON_TYPE, refuse, sendNothingKnown } from './refuse.ts'
import type { JsonSchema } from './route.ts'

const DEFAULT_PAGE = 1_000

/** `2026-01-31`, `2026-01-31 23:59`, `2026-01-31T23:59:59.5Z`. */
export const SINCE_PARAMETER = {
  description: 'a UTC time as in 2026-01-31 or 2026-01-31T23:59:59.5Z: only what was last seen then or later',
  type: 'string',
  pattern:
    '^\\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])' +
    '(?:[T +](?:[01]\\d|2[0-3]):[0-5]\\d(?::[0-5]\\d(?:\\.\\d{1,9})?)?Z?)?$',
  maxLength: 40,
} as const

/** Parameters of both lists. Without `limit` and `cursor` a list is whole. */
export const LIST_PARAMETERS = {
  limit: { description: 'Send one page of at most this many', type: 'integer', minimum: 1, maximum: 10_000 },
  cursor: {
    description: 'the `next_cursor` of the page before, with the same other parameters',
    type: 'string',
    pattern: CURSOR_PATTERN,
    maxLength: MAX_CURSOR_LENGTH,
  },
  since: SINCE_PARAMETER,
  order: {
    description: 'By the time last seen',
    type: 'string',
    enum: ['newest', 'oldest'],
    default: 'newest',
  },
  min_proof: {
    description: 'Only those whose `proof` is at least this',
    type: 'string',
    enum: PROOF_LEVELS,
    default: 'none',
  },
} as const satisfies ParameterSchemas

export const NEXT_CURSOR_SCHEMA = {
  type: ['string', 'null'],
  description: 'Pass it as `cursor` for the next page; null on the last one. Only when a parameter was given.',
} as const satisfies JsonSchema

/** The `proof` of an element of either list, and of one bad actor or number. */
export const PROOF_SCHEMA = {
  type: 'string',
  enum: PROOF_LEVELS,
  description:
    'How sure it is that the address is not forged: not, it returned what only we told it, TCP or TLS; ' +
    'of a number: how sure for the surest of those who dialled it',
} as const satisfies JsonSchema

/** What an empty list is answered with: 404 and this message. */
const NONE: Readonly<Record<ListName, string>> = {
  ip_addresses: 'No bad actors found',
  called_numbers: 'No phone numbers found',
}

type ListValues = ParameterValues<typeof LIST_PARAMETERS>

/** Answers one list: whole and streamed, or the page that was asked for. */
export function answerList(
  name: ListName,
  { reader, start, lists }: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { limit, cursor, since, order, min_proof: minProof }: ListValues,
): undefined {
  const after = cursor === undefined ? null : readPosition(name, cursor)
  if (cursor !== undefined && after === null) {
    return refuse(reply, 400, INVALID_REQUEST, 'cursor must be the next_cursor of a page of this list')
  }
  if (request.headers['if-none-match'] === '*' && totalOf(name, reader.totals()) === 0) {
    return sendNothingKnown(reply, NONE[name]) // there is no list that the client could have
  }
  if (sentNotModified(request, reply, entityTag(request, start, reader.version()))) return
  const query: ListQuery = {
    order,
    minProof,
    ...(since === undefined ? {} : { since: storedTime(since) }),
    ...(after === null ? {} : { after }),
  }
  const job: ListJob =
    limit === undefined && after === null
      ? { kind: 'whole', name, query, withCursor: request.url.includes('?') }
      : { kind: 'page', name, query, limit: limit ?? DEFAULT_PAGE }
  return lists.send(request, reply, job, { type: JSON_TYPE, none: NONE[name] })
}

/** A `since` as the store writes times; as text, a shorter one sorts before every longer one that it begins. */
export function storedTime(since: string): string {
  return since.replace(/[T+]/, ' ').replace('Z', '')
}
