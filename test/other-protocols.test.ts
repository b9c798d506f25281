// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { getJson } from './api-client.ts'
import { startDaemon } from './daemon-process.ts'
import { honeyRows } from './evidence.ts'
import { metricsOf } from './metrics.ts'
import { testWith } from './peers.ts'
import { sipRequest, type TcpClient, tcpClient, udpClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

// Whoever scans for something else finds these ports too.

const WORDS = {
  http: 'GET /admin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
  rtsp: 'DESCRIBE rtsp://127.0.0.1/ RTSP/1.0\r\nCSeq: 1\r\n\r\n',
  ssh: 'SSH-2.0-Go\r\n',
  tls: '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00',
  text: 'EHLO mail.example.org\r\n\r\n',
  binary: '\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00', // RDP
} as const

testWith(
  ['sqlite3'],
  'what speaks another protocol to a SIP port is evidence, counted, and gets no answer',
  async (t) => {
    const daemon = await startDaemon(t, { flags: ['-r'], tls: ['127.0.0.1:0'], api: '127.0.0.1:0' })
    const udp = await udpClient(t, daemon.port('UDP'))
    const expected: string[] = []
    let streams = 0
    const clients: TcpClient[] = []
    for (const [protocol, words] of Object.entries(WORDS)) {
      const bytes = Buffer.from(words, 'latin1')
      udp.send(bytes)
      expected.push(`UDP not-sip at byte 0: looks like ${protocol}`)
      for (const transport of ['TCP', 'TLS'] as const) {
        if (transport === 'TLS' && protocol === 'tls') continue // that is what is spoken there
        const client = await tcpClient(t, daemon.port(transport))
        client.socket.end(bytes)
        clients.push(client)
        streams++
        expected.push(`${transport} not-sip at byte 0: looks like ${protocol}`)
      }
    }
    const rows = await waitFor('every row', async () => {
      const found = await honeyRows(join(daemon.folder, 'sentrypeer.db'))
      return found.length >= expected.length ? found : null
    })
    assert.deepEqual(rows.map(({ transport_type, fault }) => `${transport_type} ${fault}`).sort(), expected.sort())
    const messages = rows.map(({ sip_message }) => sip_message)
    for (const words of [WORDS.http, WORDS.rtsp, WORDS.ssh, WORDS.text]) {
      assert.equal(messages.filter((message) => message === words).length, 3)
    }
    await waitFor('the connections to be closed', () => clients.every(({ socket }) => socket.readableEnded))
    assert.deepEqual(
      [udp, ...clients].map((client) => client.received()).filter((text) => text !== ''),
      [],
    )
    const metrics = await metricsOf(daemon)
    assert.equal(metrics.get('sentrypeer_connections_not_sip_total'), streams)
    assert.equal(metrics.get('sentrypeer_packets_not_sip_total'), expected.length)
    assert.equal(metrics.get('sentrypeer_connections_not_tls_total'), 5)
    assert.equal(metrics.get('sentrypeer_replies_sent_total'), 0)
  },
)

testWith([], 'SIP and TLS on the port of the API are refused there and harm nothing', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-r'], api: '127.0.0.1:0' })
  for (const [words, answer] of [
    [sipRequest({ callId: 'astray', transport: 'TCP' }), /^HTTP\/1\.1 400 /],
    [WORDS.tls, /^HTTP\/1\.1 400 /],
    [WORDS.ssh, /^HTTP\/1\.1 400 /],
    [WORDS.binary, /^HTTP\/1\.1 400 /],
  ] as const) {
    const client = await tcpClient(t, daemon.port('HTTP'))
    client.send(Buffer.from(words, 'latin1'))
    await waitFor('the connection to be closed', () => client.socket.readableEnded)
    assert.match(client.received(), answer)
    assert.match(client.received(), /\{"error":"This is not an HTTP request"\}$/)
  }
  const counted = await metricsOf(daemon)
  assert.equal(counted.get('sentrypeer_api_requests_total{route="none",status="400"}'), 4)
  assert.equal((await getJson(daemon.port('HTTP'), '/health-check')).status, 200)
})
