// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyReply } from 'fastify'
import type { Answer, JsonSchema } from './route.ts'

/** Words that clients of the C program know; they stay as they are. */
export const INVALID_REQUEST = 'The request data was invalid'
export const NO_SUCH_RESOURCE = 'The requested resource could not be found.'

export const METHOD_NOT_ALLOWED = 'The method is not allowed here'

export const JSON_TYPE = 'application/json; charset=utf-8'

/** Body of every refusal: `error` is stable, `detail` is for a person. */
export const ERROR_SCHEMA = {
  type: 'object',
  required: ['error'],
  properties: { error: { type: 'string' }, detail: { type: 'string' } },
} as const satisfies JsonSchema

/** Body of the 404 that means "asked rightly, nothing known": `{"message": "No bad actor found"}`. */
export const MESSAGE_SCHEMA = {
  type: 'object',
  required: ['message'],
  properties: { message: { type: 'string' } },
} as const satisfies JsonSchema

/** Answers that any route may give, by status. */
export const SHARED_ANSWERS: Readonly<Record<string, Answer>> = {
  400: refusal('The request is not valid; `detail` says what to change.'),
  401: refusal('A key is needed: `Authorization: Bearer KEY`.'),
  405: refusal('Only GET, HEAD and OPTIONS; see `Allow`.'),
  408: refusal('The request was not complete within 10 seconds.'),
  413: refusal('Requests must not have a body.'),
  414: refusal('The request target is too long.'),
  421: refusal('The Host header names neither localhost nor an address.'),
  429: refusal('This client asks too often, or is being sent too many lists; see `Retry-After`.'),
  431: refusal('The header block is too large.'),
  500: refusal('An error of the server; its log has the reason.'),
}

/** An answer with `ERROR_SCHEMA`. */
export function refusal(description: string): Answer {
  return { description, content: { 'application/json': ERROR_SCHEMA } }
}

/** An answer with `MESSAGE_SCHEMA`. */
export function nothingKnown(description: string): Answer {
  return { description, content: { 'application/json': MESSAGE_SCHEMA } }
}

/** Sends a refusal as JSON. */
export function refuse(reply: FastifyReply, status: number, error: string, detail?: string): undefined {
  sendError(reply, status, detail === undefined ? { error } : { error, detail })
}

/** Sends the 404 of a right question about something nobody has seen. */
export function sendNothingKnown(reply: FastifyReply, message: string): undefined {
  sendError(reply, 404, { message })
}

function sendError(reply: FastifyReply, status: number, body: object): void {
  reply.removeHeader('etag')
  reply.code(status).header('content-type', JSON_TYPE).header('cache-control', 'no-store').send(body)
}
