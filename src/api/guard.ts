// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyReply, FastifyRequest } from 'fastify'
import { namesThisMachine } from './host-header.ts'
import type { RateLimit } from './rate-limit.ts'
import { INVALID_REQUEST, METHOD_NOT_ALLOWED, NO_SUCH_RESOURCE, refuse } from './refuse.ts'

export const ALLOWED_METHODS = 'GET, HEAD, OPTIONS'

// The answer to a CORS preflight (Fetch standard, "CORS-preflight fetch"); the origin is allowed by the server.
const PREFLIGHT = {
  'access-control-allow-methods': ALLOWED_METHODS,
  'access-control-allow-headers': 'If-None-Match',
  'access-control-max-age': '86400',
} as const

const MAX_TARGET_CHARACTERS = 8_000 // RFC 9110 §4.1 asks for at least that many

export interface GuardRules {
  readonly rate: RateLimit
  /** Anonymous on loopback: the one place where DNS rebinding would get a web page in. */
  readonly checkHost: boolean
  /** Web pages of other origins may ask. */
  readonly allowOrigins: boolean
  hasKey(request: FastifyRequest): boolean
  isKnownPath(url: string): boolean
  /** By the route's own path; undefined when the request has no route. */
  isOpenRoute(routePath: string | undefined): boolean
  onWrongKey(request: FastifyRequest): void
}

/**
 * What every request has to pass before its route sees it, in this order: how often its client asks, a target of sane length, a Host that means
 * us, a key, a path that exists, a method that it has, and no body. Says whether the request may go on; if not, it
 * has been answered. Bodies are never read: the connection closes after the answer.
 */
export function createGuard(rules: GuardRules): (request: FastifyRequest, reply: FastifyReply) => boolean {
  return (request, reply) => {
    if (hasBody(request)) reply.header('connection', 'close')
    const waitS = rules.rate.take(request.socket.remoteAddress)
    if (waitS > 0) {
      reply.header('retry-after', String(waitS)) // RFC 6585 §4
      refuse(reply, 429, 'Too many requests', `try again in ${waitS} s; see --api-unlimited`)
    } else if (request.url.length > MAX_TARGET_CHARACTERS) {
      refuse(reply, 414, 'The request target is too long')
    } else if (request.headers.host === undefined && request.raw.httpVersion !== '1.0') {
      refuse(reply, 400, INVALID_REQUEST, 'the request needs a Host header') // RFC 9112 §3.2
    } else if (rules.checkHost && !namesThisMachine(request.headers.host)) {
      refuse(reply, 421, 'This name is not served here', 'use localhost or the IP address in the URL')
    } else if (!rules.hasKey(request) && !rules.isOpenRoute(request.routeOptions.url)) {
      if (request.headers.authorization !== undefined) rules.onWrongKey(request)
      reply.header('www-authenticate', 'Bearer realm="SentryPeer"')
      refuse(reply, 401, 'A valid key is needed', 'send the header Authorization: Bearer KEY')
    } else if (request.is404) {
      answerUnrouted(rules, request, reply)
    } else if (hasBody(request)) {
      refuse(reply, 413, 'Requests must not have a body')
    } else {
      return true
    }
    return false
  }
}

// The router knows paths by method, so a known path with any but GET and HEAD arrives as one without a route.
function answerUnrouted(rules: GuardRules, request: FastifyRequest, reply: FastifyReply): void {
  if (!rules.isKnownPath(request.url)) return refuse(reply, 404, NO_SUCH_RESOURCE)
  reply.header('allow', ALLOWED_METHODS)
  if (request.method !== 'OPTIONS') return refuse(reply, 405, METHOD_NOT_ALLOWED, `use ${ALLOWED_METHODS}`)
  if (rules.allowOrigins) reply.headers(PREFLIGHT)
  reply.code(204).send()
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}
