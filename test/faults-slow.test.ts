// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'
import { startDaemon } from './daemon-process.ts'
import { honeyRows } from './evidence.ts'
import { metricsOf } from './metrics.ts'
import { NIGHTLY } from './nightly.ts'
import { testWith } from './peers.ts'
import { sipRequest, tcpClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

// The deadlines that the program has by itself, against the clock. src/listeners/deadlines.test.ts has more cases, with
// shorter ones; that of a SIP message is half a minute, which only the nightly run waits for.

const DEADLINE_MS = { handshake: 10_000, request: 10_000, message: 30_000 }
const LATE_MS = 8_000 // a busy machine, and what looks at the deadlines every second
const REQUEST = sipRequest({ callId: 'slow', transport: 'TCP', number: '900' })
const CLIENT_HELLO = `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${'\0'.repeat(500)}`
const API_REQUEST = `GET / HTTP/1.1\r\nHost: localhost\r\nX-Filler: ${'x'.repeat(100)}\r\n\r\n`

testWith(['sqlite3'], 'clients of one byte a second are ended at the deadline, and others are served', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-r'], tls: ['127.0.0.1:0'], api: '127.0.0.1:0' })
  const slow = [
    trickle(t, daemon.port('TLS'), CLIENT_HELLO, DEADLINE_MS.handshake),
    trickle(t, daemon.port('HTTP'), API_REQUEST, DEADLINE_MS.request),
    ...(NIGHTLY
      ? [
          trickle(t, daemon.port('TCP'), REQUEST, DEADLINE_MS.message),
          trickle(t, daemon.port('TCP'), `${REQUEST.slice(0, -4)}\r\nX-Endless: `, DEADLINE_MS.message),
          trickle(t, daemon.port('TCP'), '', DEADLINE_MS.message),
        ]
      : []),
  ]
  const client = await tcpClient(t, daemon.port('TCP'))
  client.send(sipRequest({ callId: 'meanwhile', transport: 'TCP' }))
  await client.answered('meanwhile')
  const [, api = ''] = await Promise.all(slow)
  assert.match(api, /^HTTP\/1\.1 408 Request Timeout\r\n/)
  const metrics = await metricsOf(daemon)
  assert.equal(metrics.get('sentrypeer_tls_handshakes_failed_total'), 1)
  if (!NIGHTLY) return
  assert.equal(metrics.get('sentrypeer_connections_ended_total{reason="no_message_in_time"}'), 3)
  const rows = await honeyRows(join(daemon.folder, 'sentrypeer.db'))
  const pieces = rows.map((row) => row.sip_message).filter((message) => !message.includes('meanwhile'))
  assert.equal(pieces.length, 2, 'what came of a message is evidence; nothing is not')
  for (const piece of pieces) assert.ok(piece.length > 20 && REQUEST.startsWith(piece), piece)
})

/** Sends `text` byte by byte until the other side closes, which has to be soon after `deadlineMs`. What came back. */
async function trickle(t: TestContext, port: number, text: string, deadlineMs: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  atEnd(t, () => socket.destroy())
  const startedMs = performance.now()
  let received = ''
  let at = 0
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    received += chunk
  })
  socket.on('error', () => {}) // a reset is an end too
  const timer = setInterval(() => {
    if (at < text.length && socket.writable) socket.write(Buffer.from(text.charAt(at++), 'latin1'))
  }, 1_000)
  atEnd(t, () => clearInterval(timer))
  await waitFor('an end', () => socket.readableEnded || socket.closed, { withinMs: deadlineMs + LATE_MS })
  const tookMs = performance.now() - startedMs
  assert.ok(tookMs > deadlineMs - 500, `ended after ${tookMs} ms`)
  return received
}
