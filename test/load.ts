// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'
import type { DaemonProcess } from './daemon-process.ts'
import { answeredIn, sipRequest } from './sip-client.ts'

const UDP_SOURCES = 6
const UDP_EVERY_MS = 20 // 50 a second and source are 300 a second, and as many replies as one source may get
const TCP_IN_FLIGHT = 20

export interface Load {
  /** Call-IDs of the answers so far. */
  answered(): string[]
  /** When the newest of the requests that were answered was sent, by `performance.now()`. */
  newestAnsweredMs(): number
  /** Call-IDs of what was sent before this moment of `performance.now()`. */
  sentUntil(ms: number): string[]
  /** Call-IDs of what was sent at least `agoMs` ago. */
  sentBefore(agoMs: number): string[]
  stop(): void
}

/** Sends OPTIONS from several addresses over UDP, and over one TCP connection as fast as they are answered. */
export async function startLoad(t: TestContext, daemon: DaemonProcess, name: string): Promise<Load> {
  const sent: { callId: string; atMs: number }[] = []
  const answered: string[] = []
  const next = (transport: 'UDP' | 'TCP') => {
    const callId = `${name}-${sent.length}`
    sent.push({ callId, atMs: performance.now() })
    return sipRequest({ callId, transport, number: String(sent.length) })
  }
  const sentAtMs = (callId: string) => sent[Number(callId.slice(name.length + 1))]?.atMs ?? 0
  const stops = [await tcpLoad(daemon.port('TCP'), () => next('TCP'), answered)]
  for (let source = 1; source <= UDP_SOURCES; source++) {
    stops.push(await udpLoad(daemon.port('UDP'), `127.0.0.${source}`, () => next('UDP'), answered))
  }
  const stop = () => {
    for (const end of stops.splice(0)) end()
  }
  atEnd(t, stop)
  return {
    answered: () => [...answered],
    newestAnsweredMs: () => answered.reduce((newest, callId) => Math.max(newest, sentAtMs(callId)), 0),
    sentUntil: (ms) => sent.filter(({ atMs }) => atMs < ms).map(({ callId }) => callId),
    sentBefore: (agoMs) => sent.filter(({ atMs }) => atMs < performance.now() - agoMs).map(({ callId }) => callId),
    stop,
  }
}

async function udpLoad(port: number, from: string, next: () => string, answered: string[]): Promise<() => void> {
  const socket = createSocket('udp4')
  socket.on('message', (bytes) => answered.push(...answeredIn(bytes.toString('latin1'))))
  socket.on('error', () => {}) // nobody is there any more
  socket.bind(0, from)
  await once(socket, 'listening')
  const timer = setInterval(() => socket.send(next(), port, '127.0.0.1', () => {}), UDP_EVERY_MS)
  return () => {
    clearInterval(timer)
    socket.close()
  }
}

async function tcpLoad(port: number, next: () => string, answered: string[]): Promise<() => void> {
  const socket = connect(port, '127.0.0.1')
  let unread = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    const heads = (unread + text).split('\r\n\r\n') // answers to OPTIONS have no body
    unread = heads.pop() ?? ''
    for (const head of heads) {
      answered.push(...answeredIn(`${head}\r\n`))
      if (socket.writable) socket.write(next())
    }
  })
  socket.on('error', () => {})
  await once(socket, 'connect')
  for (let request = 0; request < TCP_IN_FLIGHT; request++) socket.write(next())
  return () => socket.destroy()
}
