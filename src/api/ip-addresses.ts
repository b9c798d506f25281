// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyReply, FastifyRequest } from 'fastify'
import { jsonText } from '../event/json.ts'
import { type IpAddress, parseIp } from '../net/ip.ts'
import type { BadActor, EventReader } from '../store/store.ts'
import type { ApiContext } from './api-context.ts'
import { entityTag, sentNotModified } from './conditional.ts'
import { DETAIL_PARAMETERS, detailProperties, examineOf, profileBody } from './details.ts'
import { sendText } from './encoding.ts'
import { answerList, LIST_PARAMETERS, NEXT_CURSOR_SCHEMA, PROOF_SCHEMA } from './list-answer.ts'
import { proofBody } from './list-kind.ts'
import type { ParameterValues } from './parameters.ts'
import {
  INVALID_REQUEST,
  JSON_TYPE,
  NO_SUCH_RESOURCE,
  nothingKnown,
  refusal,
  refuse,
  sendNothingKnown,
} from './refuse.ts'
import { type JsonSchema, pathParameter, type Route } from './route.ts'

const PROOF_PROPERTIES = {
  proof: PROOF_SCHEMA,
  proof_at: { type: 'string', description: 'When that was first so; empty for `none`' },
  proof_by: { type: 'string', description: 'What showed it then: to-tag, nonce, contact, tcp or tls; may be empty' },
} satisfies JsonSchema

const LIST_SCHEMA = {
  type: 'object',
  required: ['ip_addresses_total', 'ip_addresses'],
  properties: {
    ip_addresses_total: { type: 'integer', description: 'How many addresses are known, whatever the parameters' },
    ip_addresses: {
      type: 'array',
      items: {
        type: 'object',
        required: ['ip_address', 'seen_last', 'seen_count', 'seen_first', ...Object.keys(PROOF_PROPERTIES)],
        properties: {
          ip_address: { type: 'string' },
          seen_last: { type: 'string' },
          seen_count: { type: 'string' },
          seen_first: { type: 'string' },
          ...PROOF_PROPERTIES,
        },
      },
    },
    next_cursor: NEXT_CURSOR_SCHEMA,
  },
} satisfies JsonSchema

const CALLED_NUMBERS = ['called_number', 'called_numbers'] as const
const DETAILS = detailProperties(CALLED_NUMBERS)
const BAD_ACTOR_SCHEMA = {
  type: 'object',
  required: [
    'bad_actor_found',
    'seen_first',
    'seen_last',
    'seen_count',
    ...Object.keys(PROOF_PROPERTIES),
    ...Object.keys(DETAILS),
  ],
  properties: {
    bad_actor_found: { type: 'string', description: 'The address in its canonical spelling (RFC 5952)' },
    seen_first: { type: 'string' },
    seen_last: { type: 'string' },
    seen_count: { type: 'string' },
    ...PROOF_PROPERTIES,
    ...DETAILS,
  },
} satisfies JsonSchema

/** `/ip-addresses`, `/ip-addresses/{ip}` and the older `/ip-address/{ip}`. */
export function ipAddressRoutes(context: ApiContext): readonly Route[] {
  return [
    {
      path: '/ip-addresses',
      operationId: 'listIpAddresses',
      summary: 'Every bad actor',
      description: 'Newest first. Whole and streamed unless a page is asked for.',
      needsKey: true,
      query: LIST_PARAMETERS,
      answers: {
        200: { description: 'The bad actors', content: { 'application/json': LIST_SCHEMA } },
        404: nothingKnown('No bad actor has been seen yet, or none fits the parameters'),
        503: refusal('Too many lists are being sent; see Retry-After'),
      },
      handle: (request, reply) => {
        const values = request.query as ParameterValues<typeof LIST_PARAMETERS> // checked by the server
        return answerList('ip_addresses', context, request, reply, values)
      },
    },
    oneAddress(context, '/ip-addresses/{ip}', 'findIpAddress', 'Is this address a bad actor?'),
    oneAddress(context, '/ip-address/{ip}', 'findIpAddressOld', 'The older spelling of /ip-addresses/{ip}'),
  ]
}

function oneAddress(context: ApiContext, path: string, operationId: string, summary: string): Route {
  return {
    path,
    operationId,
    summary,
    description: 'An IPv6 address may be in any spelling; an IPv4-mapped one means the IPv4 address.',
    needsKey: true,
    query: DETAIL_PARAMETERS,
    pathParameter: { name: 'ip', description: 'An IPv4 or IPv6 address', schema: { type: 'string' } },
    answers: {
      200: { description: 'It is', content: { 'application/json': BAD_ACTOR_SCHEMA } },
      404: nothingKnown('It has not been seen'),
    },
    handle: (request, reply) => answerAddress(context, request, reply),
  }
}

function answerAddress(
  { reader, start, remember }: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
): undefined {
  const text = pathParameter(request, 'ip')
  if (text === '') return refuse(reply, 404, NO_SUCH_RESOURCE)
  const ip = parseIp(text)
  if (ip === null) return refuse(reply, 400, INVALID_REQUEST, 'this is not an IP address')
  const found = reader.badActor(ip)
  if (found === null) return sendNothingKnown(reply, 'No bad actor found')
  const stamp = JSON.stringify(found) // changes with each event from there, and with no other
  if (sentNotModified(request, reply, entityTag(request, start, stamp))) return
  const examine = examineOf(request)
  const body = remember(`ip ${examine} ${ip}`, stamp, () => jsonText(badActorBody(reader, ip, found, examine)))
  return sendText(request, reply, JSON_TYPE, body)
}

function badActorBody(reader: EventReader, ip: IpAddress, found: BadActor, examine: number) {
  return {
    bad_actor_found: ip,
    seen_first: found.seenFirst,
    seen_last: found.seenLast,
    seen_count: String(found.seenCount),
    ...proofBody(found),
    ...profileBody(reader.badActorProfile(ip, examine, found.seenLast), CALLED_NUMBERS),
  }
}
