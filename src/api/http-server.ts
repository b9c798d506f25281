// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { IncomingMessage } from 'node:http'
import { type FastifyInstance, fastify } from 'fastify'
import { reason } from '../ops/errors.ts'
import { shown } from '../ops/escape.ts'
import { answerClientError, type RawAnswer, sendRaw } from './client-error.ts'
import { ALLOWED_METHODS, createGuard, type GuardRules } from './guard.ts'
import type { ApiLimits } from './limits.ts'
import { compileParameters, ParameterError, parseQuery } from './parameters.ts'
import { INVALID_REQUEST, METHOD_NOT_ALLOWED, refuse } from './refuse.ts'
import type { RequestCounts } from './request-counts.ts'
import { createPathCheck, type Route, routerPath } from './route.ts'

const MAX_HEADER_BYTES = 16 * 1024
const MAX_PARAMETER_CHARACTERS = 16 * 1024 // never reached: the header block is cut before
const IDLE_CONNECTION_MS = 60_000
const KEEP_ALIVE_MS = 10_000

const COMPILERS = { buildValidator: () => compileParameters, buildSerializer: () => () => JSON.stringify }

export interface HttpServerParts {
  readonly routes: readonly Route[]
  readonly rules: Omit<GuardRules, 'isKnownPath' | 'isOpenRoute'>
  readonly limits: ApiLimits
  readonly version: string
  readonly requests: RequestCounts
  onFailure(text: string): void
}

/**
 * The HTTP server: routes behind the guard, the headers that every answer carries, and JSON for whatever goes wrong.
 * Fastify routes and runs the hooks. Its two schema compilers are ours (parameters.ts), which keeps ajv and
 * fast-json-stringify out of memory; answers are written by JSON.stringify and held to their schemas by tests.
 */
export function createHttpServer(parts: HttpServerParts): FastifyInstance {
  const { routes, limits } = parts
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    requestTimeout: limits.requestMs,
    connectionTimeout: IDLE_CONNECTION_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: {
      headersTimeout: limits.requestMs,
      connectionsCheckingInterval: limits.checkEveryMs,
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: false, // the guard asks for it, and answers in JSON
    },
    routerOptions: { maxParamLength: MAX_PARAMETER_CHARACTERS, querystringParser: parseQuery },
    schemaController: { compilersFactory: COMPILERS as object }, // its types are ajv's; it calls any compiler the same way
    clientErrorHandler: (error, socket) => answerClientError(error, socket, rawly),
    // Has no route, so the guard does not see it; the answer gives nothing away.
    frameworkErrors: (_error, _request, reply) =>
      refuse(reply, 400, INVALID_REQUEST, 'the path is not valid percent-encoding'),
  })
  const rawly: RawAnswer = (socket, status, error, headers = []) => {
    parts.requests.count(null, status)
    sendRaw(socket, status, error, [...everyAnswer(parts), ...headers])
  }
  addHeaders(app, parts)
  addRarities(app, rawly)
  addHooks(app, parts)
  for (const route of routes) addRoute(app, route)
  return app
}

/** Header lines that each answer has, also those that are written straight to a connection. */
function everyAnswer({ version }: HttpServerParts): readonly string[] {
  return ['X-Powered-By: SentryPeer', `X-SentryPeer-Version: ${version}`, 'X-Content-Type-Options: nosniff']
}

// Set on Node's own response and before Fastify sees the request: no answer can lack them, and they keep their case.
function addHeaders(app: FastifyInstance, { version, rules }: HttpServerParts): void {
  app.server.prependListener('request', ({ method }: IncomingMessage, response) => {
    response.setHeader('X-Powered-By', 'SentryPeer')
    response.setHeader('X-SentryPeer-Version', version)
    response.setHeader('X-Content-Type-Options', 'nosniff')
    if (!rules.allowOrigins || (method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS')) return
    response.setHeader('Access-Control-Allow-Origin', '*')
    response.setHeader('Access-Control-Expose-Headers', 'ETag, Link, X-SentryPeer-Version')
  })
}

// What Node would answer itself, without our headers, or not at all.
function addRarities(app: FastifyInstance, rawly: RawAnswer): void {
  app.server.on('connect', (_request, socket) => {
    rawly(socket, 405, METHOD_NOT_ALLOWED, [`Allow: ${ALLOWED_METHODS}`])
  })
  app.server.on('checkExpectation', ({ socket }) => rawly(socket, 417, 'This expectation cannot be met'))
  // No 100 Continue: the body is not wanted, and the guard says so.
  app.server.on('checkContinue', (request, response) => app.server.emit('request', request, response))
}

function addHooks(app: FastifyInstance, { routes, rules, requests, onFailure }: HttpServerParts): void {
  const open = new Set(routes.filter(({ needsKey }) => !needsKey).map(({ path }) => routerPath(path)))
  const passes = createGuard({
    ...rules,
    isKnownPath: createPathCheck(routes.map(({ path }) => path)),
    isOpenRoute: (path) => path !== undefined && open.has(path),
  })
  app.addHook('onRequest', (request, reply, done) => {
    if (passes(request, reply)) done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    requests.count(request.routeOptions.url ?? null, reply.statusCode)
    done()
  })
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof ParameterError) return refuse(reply, 400, INVALID_REQUEST, error.message)
    onFailure(`REST API: ${request.method} ${shown(request.url, 200)} failed: ${reason(error)}`)
    return refuse(reply, 500, 'The server failed; its log has the reason')
  })
}

function addRoute(app: FastifyInstance, route: Route): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: routerPath(route.path),
    schema: route.query === undefined ? {} : { querystring: { type: 'object', properties: route.query } },
    handler: (request, reply) => {
      route.handle(request, reply)?.catch((error) => reply.send(error))
    },
  })
}
