// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyReply, FastifyRequest } from 'fastify'
import { PROOF_LEVELS } from '../event/event.ts'
import type { ListQuery, Position, Snapshot, Totals } from '../store/store.ts'
import type { ApiContext } from './api-context.ts'
import { entityTag, sentNotModified } from './conditional.ts'
import { CURSOR_PATTERN, decodeCursor, encodeCursor, MAX_CURSOR_LENGTH } from './cursor.ts'
import { sendText } from './encoding.ts'
import { sendList } from './list-stream.ts'
import type { ListInProgress } from './lists.ts'
import type { ParameterSchemas, ParameterValues } from './parameters.ts'
import { INVALID_REQUEST, JSON_TYPE, refuse, sendNothingKnown } from './refuse.ts'
import type { JsonSchema } from './route.ts'

const DEFAULT_PAGE = 1_000
const ROWS_PER_TURN = 75 // about what fits one piece of a streamed list

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

/** How one of the two lists reads and writes its rows. */
export interface ListKind<Row> {
  /** Key of the array in the body; `…_total` is the key of the count before it. */
  readonly name: 'ip_addresses' | 'called_numbers'
  /** Message of the 404 that an empty list is. */
  readonly none: string
  total(totals: Totals): number
  rows(snapshot: Snapshot, query: ListQuery): IterableIterator<Row>
  position(row: Row): Position
  element(row: Row): object
}

type ListValues = ParameterValues<typeof LIST_PARAMETERS>

/** Answers one list: whole and streamed, or the page that was asked for. */
export function answerList<Row>(
  kind: ListKind<Row>,
  { reader, start, lists }: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { limit, cursor, since, order, min_proof: minProof }: ListValues,
): undefined | Promise<undefined> {
  const after = cursor === undefined ? null : readPosition(kind.name, cursor)
  if (cursor !== undefined && after === null) {
    return refuse(reply, 400, INVALID_REQUEST, 'cursor must be the next_cursor of a page of this list')
  }
  if (request.headers['if-none-match'] === '*' && kind.total(reader.totals()) === 0) {
    return sendNothingKnown(reply, kind.none) // there is no list that the client could have
  }
  if (sentNotModified(request, reply, entityTag(request, start, reader.version()))) return
  const list = lists.begin(request, reply)
  if (list === null) return
  const query: ListQuery = {
    order,
    minProof,
    ...(since === undefined ? {} : { since: storedTime(since) }),
    ...(after === null ? {} : { after }),
  }
  return limit === undefined && after === null
    ? answerWhole(kind, list, request, reply, query)
    : answerPage(kind, list, request, reply, query, limit ?? DEFAULT_PAGE)
}

/** A `since` as the store writes times; as text, a shorter one sorts before every longer one that it begins. */
export function storedTime(since: string): string {
  return since.replace(/[T+]/, ' ').replace('Z', '')
}

function answerWhole<Row>(
  kind: ListKind<Row>,
  list: ListInProgress,
  request: FastifyRequest,
  reply: FastifyReply,
  query: ListQuery,
): undefined {
  const rows = kind.rows(list.snapshot(), query)
  const first = rows.next()
  if (first.done) return sendNothingKnown(reply, kind.none)
  const tail = request.url.includes('?') ? '],"next_cursor":null}' : ']}'
  const total = kind.total(list.snapshot().totals())
  return sendList(list, request, reply, JSON_TYPE, wholeBody(kind, total, first.value, rows, tail))
}

function* wholeBody<Row>(kind: ListKind<Row>, total: number, first: Row, rows: Iterable<Row>, tail: string) {
  yield head(kind, total) + JSON.stringify(kind.element(first))
  for (const row of rows) yield `,${JSON.stringify(kind.element(row))}`
  yield tail
}

// A page is put together before it is sent, since its Link header comes before its last row; 10,000 rows are 1.5 MB.
async function answerPage<Row>(
  kind: ListKind<Row>,
  list: ListInProgress,
  request: FastifyRequest,
  reply: FastifyReply,
  query: ListQuery,
  limit: number,
): Promise<undefined> {
  const total = kind.total(list.snapshot().totals())
  const rows = kind.rows(list.snapshot(), { ...query, limit: limit + 1 })
  const elements: string[] = []
  let last: Row | null = null
  let row = rows.next()
  for (; !row.done && elements.length < limit; row = rows.next()) {
    last = row.value
    elements.push(JSON.stringify(kind.element(last)))
    if (elements.length % ROWS_PER_TURN === 0) await list.turn()
    if (list.ended()) return
  }
  if (last === null) return sendNothingKnown(reply, kind.none)
  const cursor = row.done ? null : writePosition(kind.name, kind.position(last))
  if (cursor !== null) linkNext(request, reply, cursor)
  const body = `${head(kind, total)}${elements.join(',')}],"next_cursor":${JSON.stringify(cursor)}}`
  return sendText(request, reply, JSON_TYPE, body)
}

function head<Row>({ name }: ListKind<Row>, total: number): string {
  return `{"${name}_total":${total},"${name}":[`
}

/** `Link: <…>; rel="next"` (RFC 8288): this request with another cursor, relative to its own URL. */
export function linkNext(request: FastifyRequest, reply: FastifyReply, cursor: string): void {
  const [path = '', query = ''] = request.url.split('?', 2)
  const others = query.split('&').filter((part) => part !== '' && !part.startsWith('cursor='))
  reply.header('link', `<${path}?${[...others, `cursor=${cursor}`].join('&')}>; rel="next"`)
}

function writePosition(name: string, { seenLast, key }: Position): string {
  return encodeCursor([name, seenLast, key])
}

function readPosition(name: string, cursor: string): Position | null {
  const [of, seenLast, key] = decodeCursor(cursor, 3) ?? []
  return of === name && seenLast !== undefined && key !== undefined ? { seenLast, key } : null
}
