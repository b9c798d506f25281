// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { ParameterSchemas } from './parameters.ts'
import { JSON_TYPE, SHARED_ANSWERS } from './refuse.ts'
import type { Answer, JsonSchema, Route } from './route.ts'

const DOCUMENT_SCHEMA = {
  type: 'object',
  required: ['openapi', 'info', 'paths'],
  properties: { openapi: { type: 'string' }, info: { type: 'object' }, paths: { type: 'object' } },
} satisfies JsonSchema

/** `/openapi.json`: the description of `routes` and of itself. */
export function openapiRoute(routes: readonly Route[], version: string): Route {
  const route: Route = {
    path: '/openapi.json',
    operationId: 'openapi',
    summary: 'This description',
    description: 'OpenAPI 3.1, made from the schemas that requests and answers are checked with.',
    needsKey: true,
    answers: {
      200: { description: 'The description', content: { 'application/json': DOCUMENT_SCHEMA } },
    },
    handle: (_request, reply) => {
      reply.header('content-type', JSON_TYPE).header('cache-control', 'no-cache').send(document)
    },
  }
  const document = openapiDocument([...routes, route], version)
  return route
}

/** The OpenAPI 3.1 document of these routes. */
export function openapiDocument(routes: readonly Route[], version: string): JsonSchema {
  return {
    openapi: '3.1.0',
    info: {
      title: 'SentryPeer',
      version,
      description: 'Who tried to call which number: the bad actors that this honeypot has seen.',
      license: { name: 'GPL-2.0-only OR GPL-3.0-only' },
    },
    servers: [{ url: '/' }],
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'Needed when the node has keys' } },
    },
    paths: Object.fromEntries(routes.map((route) => [route.path, { get: operation(route) }])),
  }
}

function operation(route: Route): JsonSchema {
  const { operationId, summary, description, needsKey, pathParameter, query, answers } = route
  return {
    operationId,
    summary,
    description,
    // An empty requirement beside it: a node without keys asks for none.
    security: needsKey ? [{ key: [] }, {}] : [],
    parameters: [
      ...(pathParameter === undefined ? [] : [{ ...pathParameter, in: 'path', required: true }]),
      ...queryParameters(query ?? {}),
    ],
    responses: Object.fromEntries(Object.entries({ ...SHARED_ANSWERS, ...answers }).map(response)),
  }
}

function queryParameters(query: ParameterSchemas): JsonSchema[] {
  return Object.entries(query).map(([name, { description, ...schema }]) => ({ name, in: 'query', description, schema }))
}

function response([status, { description, content }]: [string, Answer]): [string, JsonSchema] {
  const bodies = Object.entries(content).map(([type, schema]) => [type, { schema: schema ?? { type: 'string' } }])
  return [status, { description, content: Object.fromEntries(bodies) }]
}
