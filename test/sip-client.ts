// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, isIPv6, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { atEnd } from './at-end.ts'
import { waitFor } from './wait-for.ts'

export interface RequestParts {
  readonly method?: string
  readonly callId: string
  readonly number?: string
  readonly agent?: string
  readonly transport?: 'UDP' | 'TCP' | 'TLS'
  readonly body?: string
  /** Instead of the true one. */
  readonly contentLength?: string
}

/** A sound SIP request. */
export function sipRequest(parts: RequestParts): string {
  const { method = 'OPTIONS', callId, number = '100', agent = 'probe', transport = 'UDP', body = '' } = parts
  const { contentLength = String(Buffer.byteLength(body)) } = parts
  return [
    `${method} sip:${number}@127.0.0.1 SIP/2.0`,
    `Via: SIP/2.0/${transport} 127.0.0.1;branch=z9hG4bK-${callId};rport`,
    'Max-Forwards: 70',
    `From: <sip:tester@127.0.0.1>;tag=${callId}`,
    `To: <sip:${number}@127.0.0.1>`,
    `Call-ID: ${callId}`,
    `CSeq: 1 ${method}`,
    `User-Agent: ${agent}`,
    `Content-Length: ${contentLength}`,
    '',
    body,
  ].join('\r\n')
}

/** The Call-IDs of the answers in what came back, in order. */
export function answeredIn(text: string): string[] {
  return [...text.matchAll(/^SIP\/2\.0 [\s\S]*?\r\nCall-ID: (.*)\r\n/gm)].map(([, callId = '']) => callId)
}

/** A socket that sends to one port and keeps what comes back. */
export interface SipClient {
  readonly port: number
  send(bytes: string | Buffer): void
  /** All that came back so far. */
  received(): string
  /** Resolves when an answer to this call is there. */
  answered(callId: string, withinMs?: number): Promise<void>
}

export async function udpClient(t: TestContext, port: number, from = '127.0.0.1'): Promise<SipClient> {
  const host = isIPv6(from) ? '::1' : '127.0.0.1'
  const socket = createSocket(isIPv6(from) ? 'udp6' : 'udp4')
  let text = ''
  socket.on('message', (bytes) => {
    text += bytes.toString('latin1')
  })
  socket.on('error', () => {}) // ECONNREFUSED, once the daemon is gone
  socket.bind(0, from)
  await once(socket, 'listening')
  atEnd(t, () => socket.close())
  return clientOf(
    socket.address().port,
    (bytes) => socket.send(bytes, port, host, () => {}),
    () => text,
  )
}

export interface TcpClient extends SipClient {
  readonly socket: Socket
}

export async function tcpClient(t: TestContext, port: number, host = '127.0.0.1', from?: string): Promise<TcpClient> {
  const local = from === undefined ? {} : { localAddress: from }
  return streamClient(t, connect({ port, host, allowHalfOpen: true, ...local }), 'connect')
}

/** Resolves after the handshake; any certificate will do. */
export async function tlsClient(t: TestContext, port: number): Promise<TcpClient> {
  return streamClient(t, connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }), 'secureConnect')
}

async function streamClient(t: TestContext, socket: Socket, ready: string): Promise<TcpClient> {
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
  })
  socket.on('error', () => {}) // a reset is for the test to see by what did not come
  atEnd(t, () => socket.destroy())
  await once(socket, ready)
  return {
    ...clientOf(
      socket.localPort ?? 0,
      (bytes) => void socket.write(bytes),
      () => text,
    ),
    socket,
  }
}

function clientOf(port: number, send: (bytes: string | Buffer) => void, received: () => string): SipClient {
  return {
    port,
    send,
    received,
    async answered(callId, withinMs = 10_000) {
      await waitFor(`an answer to ${callId}`, () => answeredIn(received()).includes(callId), {
        withinMs,
        state: received,
      })
    },
  }
}
