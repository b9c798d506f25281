// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyReply, FastifyRequest } from 'fastify'
import { jsonText } from '../event/json.ts'
import type { CalledNumber, EventReader } from '../store/store.ts'
import type { ApiContext } from './api-context.ts'
import { entityTag, sentNotModified } from './conditional.ts'
import { DETAIL_PARAMETERS, detailProperties, examineOf, profileBody } from './details.ts'
import { sendText } from './encoding.ts'
import { answerList, LIST_PARAMETERS, NEXT_CURSOR_SCHEMA, PROOF_SCHEMA } from './list-answer.ts'
import type { ParameterValues } from './parameters.ts'
import { JSON_TYPE, NO_SUCH_RESOURCE, nothingKnown, refusal, refuse, sendNothingKnown } from './refuse.ts'
import { type JsonSchema, pathParameter, type Route } from './route.ts'

const NUMBER_PATTERN = '^\\+?[0-9]+$'
const NUMBER = new RegExp(NUMBER_PATTERN)

const LIST_SCHEMA = {
  type: 'object',
  required: ['called_numbers_total', 'called_numbers'],
  properties: {
    called_numbers_total: { type: 'integer', description: 'How many numbers are known, whatever the parameters' },
    called_numbers: {
      type: 'array',
      items: {
        type: 'object',
        required: ['called_number', 'seen_last', 'seen_count', 'seen_first', 'proof'],
        properties: {
          called_number: { type: 'string', pattern: NUMBER_PATTERN },
          seen_last: { type: 'string' },
          seen_count: { type: 'string' },
          seen_first: { type: 'string' },
          proof: PROOF_SCHEMA,
        },
      },
    },
    next_cursor: NEXT_CURSOR_SCHEMA,
  },
} satisfies JsonSchema

const BAD_ACTORS = ['ip_address', 'ip_addresses'] as const
const DETAILS = detailProperties(BAD_ACTORS)
const NUMBER_SCHEMA = {
  type: 'object',
  required: [
    'phone_number_found',
    'called_number',
    'seen_first',
    'seen_last',
    'seen_count',
    'proof',
    ...Object.keys(DETAILS),
  ],
  properties: {
    phone_number_found: { type: 'string', description: 'The number as it was asked for' },
    called_number: { type: 'string', description: 'The number as it was dialled: with or without the plus sign' },
    seen_first: { type: 'string' },
    seen_last: { type: 'string' },
    seen_count: { type: 'string' },
    proof: PROOF_SCHEMA,
    ...DETAILS,
  },
} satisfies JsonSchema

/** `/numbers` and `/numbers/{number}`. */
export function numberRoutes(context: ApiContext): readonly Route[] {
  return [
    {
      path: '/numbers',
      operationId: 'listNumbers',
      summary: 'Every number that was called',
      description: 'Digits with or without a plus sign, newest first. Whole and streamed unless a page is asked for.',
      needsKey: true,
      query: LIST_PARAMETERS,
      answers: {
        200: { description: 'The numbers', content: { 'application/json': LIST_SCHEMA } },
        404: nothingKnown('No number has been called yet, or none fits the parameters'),
        503: refusal('Too many lists are being sent; see Retry-After'),
      },
      handle: (request, reply) => {
        const values = request.query as ParameterValues<typeof LIST_PARAMETERS> // checked by the server
        return answerList('called_numbers', context, request, reply, values)
      },
    },
    {
      path: '/numbers/{number}',
      operationId: 'findNumber',
      summary: 'Has this number been called by bad actors?',
      description: 'With and without a plus sign are the same number unless both were dialled.',
      needsKey: true,
      query: DETAIL_PARAMETERS,
      pathParameter: {
        name: 'number',
        description: 'Digits, with or without a plus sign (which may be written %2B)',
        schema: { type: 'string', pattern: NUMBER_PATTERN },
      },
      answers: {
        200: { description: 'It has', content: { 'application/json': NUMBER_SCHEMA } },
        404: {
          description: 'It has not; or, with `error`, this is not a number',
          content: { 'application/json': { anyOf: [NOT_SEEN_SCHEMA, NOT_A_NUMBER_SCHEMA] } },
        },
      },
      handle: (request, reply) => answerNumber(context, request, reply),
    },
  ]
}

const NOT_SEEN_SCHEMA = nothingKnown('').content['application/json']
const NOT_A_NUMBER_SCHEMA = refusal('').content['application/json']

function answerNumber(
  { reader, start, remember }: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
): undefined {
  const asked = pathParameter(request, 'number')
  if (!NUMBER.test(asked)) return refuse(reply, 404, NO_SUCH_RESOURCE)
  const found = findNumber(reader, asked)
  if (found === null) return sendNothingKnown(reply, 'No phone number found')
  const stamp = JSON.stringify(found) // changes with each event of the number, and with no other
  if (sentNotModified(request, reply, entityTag(request, start, stamp))) return
  const examine = examineOf(request)
  const body = remember(`number ${examine} ${asked}`, stamp, () => jsonText(numberBody(reader, asked, found, examine)))
  return sendText(request, reply, JSON_TYPE, body)
}

/** What was dialled exactly so; else what was dialled the same but for a leading plus sign. */
function findNumber(reader: EventReader, asked: string): CalledNumber | null {
  return reader.calledNumber(asked) ?? reader.calledNumber(asked.startsWith('+') ? asked.slice(1) : `+${asked}`)
}

function numberBody(reader: EventReader, asked: string, found: CalledNumber, examine: number) {
  const number = found.calledNumber
  return {
    phone_number_found: asked,
    called_number: number,
    seen_first: found.seenFirst,
    seen_last: found.seenLast,
    seen_count: String(found.seenCount),
    proof: found.bestProof,
    ...profileBody(reader.calledNumberProfile(number, examine, found.seenLast), BAD_ACTORS),
  }
}
