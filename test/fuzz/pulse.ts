// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { once } from 'node:events'
import { connect } from 'node:net'
import { processorWaitMs } from '../processor-wait.ts'
import { sipRequest } from '../sip-client.ts'
import { MAX_STALL_MS } from './target.ts'

const PING = '\r\n\r\n' // RFC 5626 §3.5.1: answered with CRLF at once, without parser, store or budget
const EVERY_MS = 5
const BEHIND_MS = 20 // chosen: a node that takes longer has enough to do

/** An answer that took too long: when it came, and how long without the time for which either side waited for a processor. */
export interface Stall {
  readonly atMs: number
  readonly ms: number
}

/** Feels whether a node's event loop turns, by pings on a TCP connection of its own. */
export interface Pulse {
  /** Whether an answer has been waited for long enough to send nothing more for a while. */
  isBehind(): boolean
  text(): string
  stop(): void
}

/** `pid` is that of the node, whose main thread the event loop is. */
export async function startPulse(port: number, pid: number, onStall: (stall: Stall) => void): Promise<Pulse> {
  const socket = connect(port, '127.0.0.1').setNoDelay().setEncoding('latin1')
  socket.on('error', () => {}) // the node is gone, and others notice
  await once(socket, 'connect')
  socket.write(sipRequest({ callId: 'pulse', transport: 'TCP' })) // a connection without a message is ended after a while
  await once(socket, 'data')
  const tookMs: number[] = []
  let stalls = 0
  const waitedMs = () => processorWaitMs(pid) + processorWaitMs(process.pid)
  let sent: { readonly atMs: number; readonly waitedMs: number } | null = null
  let [lookedMs, ownMs] = [performance.now(), 0]

  const look = setInterval(() => {
    const nowMs = performance.now()
    ownMs += Math.max(0, nowMs - lookedMs - EVERY_MS) // this process was busy, and could not have read an answer
    lookedMs = nowMs
    if (sent !== null || !socket.writable) return
    sent = { atMs: nowMs, waitedMs: waitedMs() }
    ownMs = 0
    socket.write(PING)
  }, EVERY_MS)
  socket.on('data', () => {
    if (sent === null) return
    const nowMs = performance.now()
    const othersMs = Math.max(ownMs + Math.max(0, nowMs - lookedMs - EVERY_MS), waitedMs() - sent.waitedMs)
    const ms = Math.max(0, nowMs - sent.atMs - othersMs)
    tookMs.push(ms)
    sent = null
    if (ms <= MAX_STALL_MS) return
    stalls++
    onStall({ atMs: nowMs, ms })
  })

  return {
    isBehind: () => sent !== null && performance.now() - sent.atMs > BEHIND_MS,
    text() {
      const sorted = tookMs.toSorted((one, other) => one - other)
      const at = (part: number) => (sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN).toFixed(1)
      return `${sorted.length} pings: median ${at(0.5)} ms, p99 ${at(0.99)}, p99.9 ${at(0.999)}, longest ${at(1)}; ${stalls} above ${MAX_STALL_MS} ms`
    },
    stop() {
      clearInterval(look)
      socket.destroy()
    },
  }
}
