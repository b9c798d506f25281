// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { sendPage, wantsHtml } from './page.ts'
import { JSON_TYPE } from './refuse.ts'
import type { Route } from './route.ts'

const STATUS_SCHEMA = { type: 'object', required: ['status'], properties: { status: { type: 'string', const: 'OK' } } }

/** `/`: `{"status": "OK"}`; for a browser a page with the way to the other routes. */
export function rootRoute(): Route {
  return {
    path: '/',
    operationId: 'root',
    summary: 'Is anyone there?',
    description: 'A page with links for a browser.',
    needsKey: false,
    answers: {
      200: { description: 'Yes', content: { 'application/json': STATUS_SCHEMA, 'text/html': null } },
    },
    handle: (request, reply) => {
      reply.header('vary', 'Accept')
      if (!wantsHtml(request)) {
        reply.header('content-type', JSON_TYPE).send({ status: 'OK' })
        return
      }
      sendPage(reply, 'SentryPeer', [
        { text: 'Bad actors', link: '/ip-addresses' },
        { text: 'Called numbers', link: '/numbers' },
        { text: 'Recent events', link: '/events' },
        { text: 'Health', link: '/health-check' },
        { text: 'Metrics', link: '/metrics' },
        { text: 'Description of this API (OpenAPI)', link: '/openapi.json' },
      ])
    },
  }
}
