// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ListQuery } from '../store/store.ts'
import type { ApiContext } from './api-context.ts'
import { BLOCKLIST_FORMATS } from './blocklist.ts'
import { entityTag, sentNotModified } from './conditional.ts'
import { SINCE_PARAMETER, storedTime } from './list-answer.ts'
import type { ListJob } from './list-job.ts'
import type { ParameterSchemas, ParameterValues } from './parameters.ts'
import { JSON_TYPE, refusal } from './refuse.ts'
import type { JsonSchema, Route } from './route.ts'

const PARAMETERS = {
  format: {
    description: 'One address a line; or for `ipset restore`, `nft -f`, RouterOS `/import`; or JSON',
    type: 'string',
    enum: BLOCKLIST_FORMATS,
    default: 'plain',
  },
  min_proof: {
    description: 'Only addresses at least this sure not to be forged; `none` for all of them',
    type: 'string',
    enum: ['none', 'echo', 'handshake'],
    default: 'echo',
  },
  since: SINCE_PARAMETER,
} as const satisfies ParameterSchemas

const JSON_SCHEMA = {
  type: 'object',
  required: ['ip_addresses'],
  properties: { ip_addresses: { type: 'array', items: { type: 'string' } } },
} satisfies JsonSchema

/** `/ip-addresses/ipset`: the bad actors as a firewall takes them. */
export function ipsetRoute(context: ApiContext): Route {
  return {
    path: '/ip-addresses/ipset',
    operationId: 'blocklist',
    summary: 'Bad actors as a blocklist',
    description:
      'Proven sources only unless `min_proof=none`; never an address of this node or one that cannot be on the ' +
      'public Internet. An empty list is an answer like any other.',
    needsKey: true,
    query: PARAMETERS,
    answers: {
      200: {
        description: 'The list',
        content: { 'text/plain': null, 'application/json': JSON_SCHEMA },
      },
      503: refusal('Too many lists are being sent; see Retry-After'),
    },
    handle: (request, reply) => answerBlocklist(context, request, reply),
  }
}

function answerBlocklist(context: ApiContext, request: FastifyRequest, reply: FastifyReply): undefined {
  const { format, min_proof: minProof, since } = request.query as ParameterValues<typeof PARAMETERS> // checked
  const ownAddresses = context.ownAddresses()
  const tag = entityTag(request, context.start, context.reader.version(), [...ownAddresses].join(' '))
  if (sentNotModified(request, reply, tag)) return
  const query: ListQuery = { order: 'newest', minProof, ...(since === undefined ? {} : { since: storedTime(since) }) }
  const job: ListJob = { kind: 'blocklist', format, query, ownAddresses: [...ownAddresses] }
  const type = format === 'json' ? JSON_TYPE : 'text/plain; charset=utf-8'
  return context.lists.send(request, reply, job, { type, none: 'No bad actors found' })
}
