// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyReply, FastifyRequest } from 'fastify'

/** `Link: <…>; rel="next"` (RFC 8288): this request with another cursor, relative to its own URL. */
export function linkNext(request: FastifyRequest, reply: FastifyReply, cursor: string): void {
  const [path = '', query = ''] = request.url.split('?', 2)
  const others = query.split('&').filter((part) => part !== '' && !part.startsWith('cursor='))
  reply.header('link', `<${path}?${[...others, `cursor=${cursor}`].join('&')}>; rel="next"`)
}
