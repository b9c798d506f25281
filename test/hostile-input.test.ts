// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { getJson } from './api-client.ts'
import { corpusMessages } from './corpus.ts'
import { type DaemonProcess, startDaemon } from './daemon-process.ts'
import { sqlite } from './evidence.ts'
import { accountOf, metricsOf, sumOf } from './metrics.ts'
import { testWith } from './peers.ts'
import { sipRequest, tcpClient, tlsClient, udpClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

// The running node and what was made to break parsers: it lives, answers the next one, and has accounted for each.
// What has to be read in each, the tests of the corpus and of hostile SIP hold.

const SERVED_WITHIN_MS = 5_000 // on a busy machine; each of these takes less than a millisecond
const AT_ONCE = 30
const MAX_DATAGRAM = 65_507 // RFC 768: what is left of 65,535 beside the headers of IP and UDP

const request = (callId: string) => sipRequest({ callId, transport: 'TCP' })
const withLines = (lines: string) => request('x').replace('\r\n\r\n', `\r\n${lines}\r\n\r\n`)
const padded = (unit: string) => withLines(`X: ${unit.repeat(Math.floor(60_000 / unit.length))}`)

const MONSTERS: readonly string[] = [
  'A'.repeat(MAX_DATAGRAM),
  '\0'.repeat(MAX_DATAGRAM),
  '\r\n'.repeat(30_000) + request('x'),
  withLines('A: b\r\n'.repeat(5_000).trimEnd()),
  withLines(`Via: SIP/2.0/UDP a\r\n`.repeat(2_000).trimEnd()),
  withLines(`X: a${'\r\n b'.repeat(12_000)}`),
  ...['"', ',', ';', '<', '(', '\\', ' ', '\t', '%00', '\xff', '\0', '=', '@', ':', ';a=b'].map(padded),
  ...['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'then'].flatMap((name) => [
    request('x').replaceAll('OPTIONS', name),
    request('x').replaceAll('sip:100@', `sip:${name}@`),
    withLines(
      `${name}: ${name}\r\nContact: <sip:a@b>;${name}=1\r\nAuthorization: Digest ${name}="x", username="${name}"`,
    ),
    `${name} ${name} SIP/2.0\r\n${name}: x\r\n\r\n`,
  ]),
  'SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n',
  'SIP/2.0 999999999999 \0\r\n\r\n',
  'OPTIONS sip:a SIP/2.0',
  'OPTIONS  SIP/2.0\r\n\r\n',
  request('x').replace('CSeq: 1', 'CSeq: 99999999999999999999'),
  request('x').replace('Content-Length: 0', 'Content-Length: -1'),
]

const INPUTS = [...corpusMessages().values(), ...MONSTERS.map((text) => Buffer.from(text, 'latin1'))].filter(
  ({ length }) => length > 0 && length <= MAX_DATAGRAM,
)

testWith(['sqlite3'], 'no datagram ends or stalls the node, and each is stored or counted', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-rj'], api: '127.0.0.1:0' })
  const client = await udpClient(t, daemon.port('UDP'))
  let sent = 0
  for (const [at, bytes] of INPUTS.entries()) {
    client.send(bytes)
    sent++
    if (at % 10 === 9) sent += await assertAnswers(t, daemon, `udp-${at}`) // it has read all before this one
  }
  sent += await assertAnswers(t, daemon, 'last')
  await assertAccount(daemon, sent, sent)
})

for (const transport of ['TCP', 'TLS'] as const) {
  testWith(['sqlite3'], `no ${transport} stream ends or stalls the node, and each is stored or counted`, async (t) => {
    const daemon = await startDaemon(t, { flags: ['-rj'], api: '127.0.0.1:0', tls: ['127.0.0.1:0'] })
    const open = transport === 'TCP' ? tcpClient : tlsClient
    let probes = 0
    for (let at = 0; at < INPUTS.length; at += AT_ONCE) {
      await Promise.all(
        INPUTS.slice(at, at + AT_ONCE).map(async (bytes) => {
          const { socket } = await open(t, daemon.port(transport))
          socket.end(bytes)
          await waitFor('the end of the connection', () => socket.readableEnded || socket.closed)
        }),
      )
      probes += await assertAnswers(t, daemon, `stream-${at}`)
    }
    // A stream may hold several messages, or keep-alives only.
    await assertAccount(daemon, INPUTS.length / 2 + probes, Number.POSITIVE_INFINITY)
  })
}

/** The next one is answered, over UDP, soon; how many requests that took. */
async function assertAnswers(t: TestContext, daemon: DaemonProcess, callId: string): Promise<number> {
  const other = await udpClient(t, daemon.port('UDP'), '127.0.0.2')
  other.send(sipRequest({ callId, agent: 'x'.repeat(300) }))
  await other.answered(callId, SERVED_WITHIN_MS)
  return 1
}

async function assertAccount(daemon: DaemonProcess, atLeast: number, atMost: number): Promise<void> {
  assert.equal((await getJson(daemon.port('HTTP'), '/health-check')).status, 200)
  await waitFor('all to be stored', async () => sumOf(await metricsOf(daemon), 'events_waiting') === 0)
  const metrics = await metricsOf(daemon)
  const { received, accounted } = accountOf(metrics)
  assert.equal(accounted, received)
  assert.ok(received >= atLeast && received <= atMost, `${received} received of ${atLeast} to ${atMost}`)
  assert.equal(sumOf(metrics, 'packets_failed_total') + sumOf(metrics, 'answers_failed_total'), 0)
  await daemon.stop()
  const [rows] = await sqlite(join(daemon.folder, 'sentrypeer.db'), 'SELECT count(*) AS stored FROM honey')
  assert.deepEqual(rows, { stored: sumOf(metrics, 'events_stored_total') })
}
