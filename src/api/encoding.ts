// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { constants, gzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'

const MIN_PACKED = 1_400 // chosen: what fits one Ethernet frame gains nothing

/** Says whether so many characters or bytes get shorter on the way when they are compressed. */
export function isWorthPacking(length: number): boolean {
  return length >= MIN_PACKED
}

/** RFC 9110 §12.5.3, for the one coding we have. No header at all means: as it is. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  if (acceptEncoding === undefined) return false
  let wildcard = false
  for (const item of acceptEncoding.toLowerCase().split(',')) {
    const [coding = '', ...parameters] = item.split(';').map((part) => part.trim())
    const wanted = !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter))
    if (coding === 'gzip' || coding === 'x-gzip') return wanted
    if (coding === '*') wildcard = wanted
  }
  return wildcard
}

/** Sends a body that is whole in memory, compressed where that pays. */
export function sendText(request: FastifyRequest, reply: FastifyReply, type: string, text: string): undefined {
  reply.header('content-type', type)
  if (!isWorthPacking(text.length) || !acceptsGzip(request.headers['accept-encoding'])) {
    reply.send(text)
    return
  }
  gzip(text, { level: constants.Z_BEST_SPEED }, (error, packed) => {
    if (error === null) reply.header('content-encoding', 'gzip')
    reply.send(error ?? packed)
  })
}
