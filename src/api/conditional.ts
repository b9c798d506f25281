// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { hash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { acceptsGzip } from './encoding.ts'

/**
 * The strong validator of an answer: it changes whenever one of `states` does, which name all that the body depends on,
 * and is another one for clients that take gzip (RFC 9110 §8.8.3.3).
 */
export function entityTag(request: FastifyRequest, ...states: readonly string[]): string {
  const encoding = acceptsGzip(request.headers['accept-encoding']) ? 'gzip' : 'identity'
  return `"${hash('sha1', [...states, encoding, request.url].join('\n'), 'base64url')}"`
}

/**
 * Sends 304 when the client has this answer already (RFC 9110 §13.1.2); says whether it did. Otherwise the answer
 * to come carries the tag. To be called once it is known that the resource exists, because of `If-None-Match: *`.
 */
export function sentNotModified(request: FastifyRequest, reply: FastifyReply, tag: string): boolean {
  reply.header('etag', tag).header('cache-control', 'no-cache').header('vary', 'Accept-Encoding')
  if (!listsTag(request.headers['if-none-match'], tag)) return false
  reply.code(304).send()
  return true
}

/** RFC 9110 §13.1.2 asks for the weak comparison, so a proxy's `W/` before our tag does not matter. */
export function listsTag(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false
  return ifNoneMatch.trim() === '*' || (ifNoneMatch.match(/"[^"]*"/g)?.includes(tag) ?? false)
}
