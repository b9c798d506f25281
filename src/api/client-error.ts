// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { errorCode } from '../ops/errors.ts'
import { JSON_TYPE } from './refuse.ts'

/** Answers on a connection that has no request. */
export type RawAnswer = (socket: Duplex, status: number, error: string, headers?: readonly string[]) => void

/**
 * Answers bytes that never became a request: whatever Node's parser refused, or what did not come in time. The
 * answer is valid HTTP with the JSON error; then the connection closes.
 */
export function answerClientError(error: Error, socket: Duplex, answer: RawAnswer): void {
  if (errorCode(error) === 'ECONNRESET' || !socket.writable || isAnswering(socket)) {
    socket.destroy()
    return
  }
  const [status, text] = refusalOf(errorCode(error))
  answer(socket, status, text)
}

// An answer to an earlier request is on its way: an error in the middle of it would be taken for a part of it. Node's own
// handler of this event looks at the same field.
function isAnswering(socket: Duplex): boolean {
  const { _httpMessage: message } = socket as { _httpMessage?: { readonly headersSent: boolean } | null }
  return message?.headersSent ?? false
}

function refusalOf(code: string | null): readonly [number, string] {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [408, 'The request was not complete in time']
    case 'HPE_HEADER_OVERFLOW':
      return [431, 'The header block is too large']
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return [413, 'Requests must not have a body']
    default:
      return [400, 'This is not an HTTP request']
  }
}

/** Writes an error straight to a connection and closes it. `headers` are lines without their ends. */
export function sendRaw(socket: Duplex, status: number, error: string, headers: readonly string[]): void {
  socket.on('error', () => socket.destroy()) // Node has let go of the connection: nobody else listens
  const body = JSON.stringify({ error })
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Date: ${new Date().toUTCString()}`,
    ...headers,
    `Content-Type: ${JSON_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}
