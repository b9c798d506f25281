// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { shareOpenFiles } from '../src/ops/open-files.ts'
import { getJson } from './api-client.ts'
import { atEnd } from './at-end.ts'
import { type DaemonProcess, startDaemon } from './daemon-process.ts'
import { assertSameIds, callIdOf, type HoneyRow, honeyRows } from './evidence.ts'
import { testWith } from './peers.ts'
import { answeredIn, sipRequest, tcpClient, udpClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

const SMUGGLED = sipRequest({ callId: 'smuggled', method: 'INVITE', number: '666', transport: 'TCP' })

testWith(['sqlite3'], 'a hundred requests in one segment are a hundred rows and answers, in order', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-r'] })
  const client = await tcpClient(t, daemon.port('TCP'))
  const callIds = Array.from({ length: 100 }, (_, at) => `pipelined-${at}`)
  client.send(callIds.map((callId) => sipRequest({ callId, transport: 'TCP', body: 'v=0\r\n\r\n' })).join(''))
  await client.answered('pipelined-99')
  assert.deepEqual(answeredIn(client.received()), callIds)
  assert.deepEqual(
    (await honeyRows(databaseOf(daemon))).map((row) => callIdOf(row.sip_message)),
    callIds,
  )
})

testWith(['sqlite3'], 'a request that comes byte by byte is one row and one answer', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-r'] })
  const client = await tcpClient(t, daemon.port('TCP'))
  client.socket.setNoDelay(true)
  for (const byte of Buffer.from(sipRequest({ callId: 'bytes', transport: 'TCP', body: 'v=0' }))) {
    await new Promise((resolve) => client.socket.write(Buffer.of(byte), resolve))
  }
  await client.answered('bytes')
  const [row, ...others] = await honeyRows(databaseOf(daemon))
  assert.deepEqual([row?.fault, row?.sip_message.endsWith('v=0'), others], [null, true, []])
})

testWith(['sqlite3'], 'who has said everything and closed his side still gets the answer', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-r'] })
  const client = await tcpClient(t, daemon.port('TCP'))
  client.socket.end(sipRequest({ callId: 'half', transport: 'TCP' }))
  await client.answered('half')
  await waitFor('the other side to close', () => client.socket.readableEnded)
})

for (const [how, leave] of [
  ['a reset', (client: { socket: { resetAndDestroy(): unknown } }) => client.socket.resetAndDestroy()],
  ['an end', (client: { socket: { end(): unknown } }) => client.socket.end()],
] as const) {
  testWith(['sqlite3'], `${how} in the middle of a message leaves what came of it as evidence`, async (t) => {
    const daemon = await startDaemon(t, { flags: ['-r'] })
    const client = await tcpClient(t, daemon.port('TCP'))
    const half = sipRequest({ callId: 'half', transport: 'TCP', number: '900' }).slice(0, -30)
    client.send(sipRequest({ callId: 'whole', transport: 'TCP' }))
    await client.answered('whole')
    await new Promise((resolve) => client.socket.write(half, resolve))
    leave(client)
    const rows = await rowsOf(daemon, 2)
    assert.equal(rows[1]?.sip_message, half)
    assert.match(rows[1]?.fault ?? '', /at byte \d+: /)
    assert.equal(rows[1]?.called_number, '900')
    await assertServes(t, daemon)
  })
}

for (const [what, contentLength] of [
  ['a negative Content-Length', 'Content-Length: -1'],
  ['a hexadecimal Content-Length', 'Content-Length: 0x10'],
  ['a Content-Length with a sign', 'Content-Length: +10'],
  ['a Content-Length beyond all numbers', 'Content-Length: 99999999999999999999'],
  ['two Content-Lengths', 'Content-Length: 0\r\nl: 10'],
  ['a Content-Type and no Content-Length', 'Content-Type: application/sdp'],
  ['a Content-Length far above what comes', 'Content-Length: 900000000'],
] as const) {
  testWith(['sqlite3'], `${what}: the body is never taken for a message, and all of it is kept`, async (t) => {
    const daemon = await startDaemon(t, { flags: ['-r'] })
    const client = await tcpClient(t, daemon.port('TCP'))
    const message = sipRequest({ callId: 'liar', transport: 'TCP' }).replace('Content-Length: 0', contentLength)
    client.socket.end(message + SMUGGLED)
    const [row, ...others] = await rowsOf(daemon, 1)
    await waitFor('the connection to be closed', () => client.socket.closed)
    assert.deepEqual(others, [])
    assert.equal(row?.sip_message, message + SMUGGLED)
    assert.equal(row?.called_number, '100')
    assert.notEqual(row?.fault, null)
    assert.deepEqual(
      answeredIn(client.received()).filter((callId) => callId === 'smuggled'),
      [],
    )
    assert.equal((await honeyRows(databaseOf(daemon))).length, 1)
    await assertServes(t, daemon)
  })
}

testWith(
  ['sqlite3'],
  'a header block without end is cut off, kept as far as it goes, and the connection closed',
  async (t) => {
    const daemon = await startDaemon(t, { flags: ['-r'] })
    const client = await tcpClient(t, daemon.port('TCP'))
    client.send('OPTIONS sip:100@127.0.0.1 SIP/2.0\r\n')
    const timer = setInterval(() => client.socket.writable && client.send(`X-Filler: ${'x'.repeat(8_000)}\r\n`), 1)
    atEnd(t, () => clearInterval(timer))
    await waitFor('the connection to be closed', () => client.socket.readableEnded || client.socket.closed)
    const [row] = await rowsOf(daemon, 1)
    assert.ok(row !== undefined && row.sip_message.length >= 65_536 && row.sip_message.length <= 200_000)
    assert.notEqual(row.fault, null)
    await assertServes(t, daemon)
  },
)

testWith(['sqlite3'], 'a ping of two line breaks is answered with one, and is no evidence', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-r'] })
  const client = await tcpClient(t, daemon.port('TCP'))
  client.send('\r\n\r\n') // RFC 5626 §3.5.1
  await waitFor('a pong', () => client.received() === '\r\n')
  client.send(sipRequest({ callId: 'after', transport: 'TCP' }))
  await client.answered('after')
  client.send('\r\n\r\n')
  await waitFor('a second pong', () => client.received().endsWith('\r\n\r\n\r\n'))
  assert.equal((await honeyRows(databaseOf(daemon))).length, 1)
})

for (const [protocol, bytes] of [
  ['http', 'GET /admin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'],
  ['rtsp', 'DESCRIBE rtsp://127.0.0.1/ RTSP/1.0\r\nCSeq: 1\r\n\r\n'],
  ['ssh', 'SSH-2.0-Go\r\n'],
  ['text', 'hello?\r\n\r\n'],
  ['binary', Buffer.from([0x00, 0x9c, 0x00, 0x01, 0x1a, 0x2b, 0x3c, 0x4d, 0x0d, 0x0a, 0x0d, 0x0a])],
] as const) {
  testWith(['sqlite3'], `${protocol} on the SIP port is kept as what it looks like, and not answered`, async (t) => {
    const daemon = await startDaemon(t, { flags: ['-r'] })
    const client = await tcpClient(t, daemon.port('TCP'))
    client.send(Buffer.from(bytes))
    const [row] = await rowsOf(daemon, 1)
    assert.match(row?.fault ?? '', new RegExp(`^not-sip at byte 0: looks like ${protocol}$`))
    assert.deepEqual([row?.method, row?.called_number, row?.user_agent], ['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND'])
    assert.equal(client.received(), '')
    await assertServes(t, daemon)
  })
}

testWith(['sqlite3'], 'SIP on the port of the API is refused there and harms nothing', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-r'], api: '127.0.0.1:0' })
  const client = await tcpClient(t, daemon.port('HTTP'))
  client.send(sipRequest({ callId: 'astray', transport: 'TCP' }))
  await waitFor('the connection to be closed', () => client.socket.readableEnded)
  assert.match(client.received(), /^HTTP\/1\.1 400 /)
  assert.equal((await getJson(daemon.port('HTTP'), '/health-check')).status, 200)
})

testWith(
  ['sqlite3'],
  'the hundred-and-first connection of one source is reset; others are served meanwhile',
  async (t) => {
    const daemon = await startDaemon(t, { flags: ['-r'] })
    const port = daemon.port('TCP')
    const clients = []
    for (let at = 0; at < 100; at++) clients.push(await tcpClient(t, port))
    assert.equal(await isServed(t, port), false)

    const askedMs = performance.now()
    const other = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
    atEnd(t, () => other.destroy())
    let received = ''
    other.setEncoding('latin1').on('data', (text: string) => {
      received += text
    })
    await once(other, 'connect')
    other.write(sipRequest({ callId: 'other', transport: 'TCP' }))
    await waitFor('an answer', () => answeredIn(received).includes('other'))
    assert.ok(performance.now() - askedMs < 2_000)

    for (const [at, client] of clients.entries()) client.send(sipRequest({ callId: `held-${at}`, transport: 'TCP' }))
    for (const [at, client] of clients.entries()) await client.answered(`held-${at}`)
    clients[0]?.socket.destroy()
    await waitFor('a place', () => isServed(t, port))
    const rows = await rowsOf(daemon, 101)
    assertSameIds(
      rows.map((row) => row.source_ip).filter((ip) => ip === '127.0.0.2'),
      ['127.0.0.2'],
      'the other source',
    )
  },
)

testWith(['sqlite3'], 'three hundred connections one after the other from one source are all served', async (t) => {
  const daemon = await startDaemon(t)
  for (let at = 0; at < 300; at++) {
    const { socket } = await tcpClient(t, daemon.port('TCP'))
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.end(sipRequest({ callId: `serial-${at}`, transport: 'TCP' }))
    await closed
  }
  assert.equal((await rowsOf(daemon, 300)).length, 300)
})

testWith(
  ['sqlite3'],
  'where few files may be open connections leave enough of them to the API and the store',
  async (t) => {
    const { sipConnections } = shareOpenFiles(150, { sockets: 3, hasApi: true })
    const enter = (command: readonly string[]) => ['sh', '-c', 'ulimit -n 150 && exec "$@"', 'sh', ...command]
    const daemon = await startDaemon(t, { api: '127.0.0.1:0', enter })
    const isOpen: boolean[] = []
    for (let at = 0; at < 160; at++) {
      const localAddress = at % 2 === 0 ? '127.0.0.1' : '127.0.0.2'
      const socket = connect({ port: daemon.port('TCP'), host: '127.0.0.1', localAddress })
      atEnd(t, () => socket.destroy())
      socket.on('connect', () => {
        isOpen[at] = true
      })
      socket.on('error', () => {})
      socket.on('close', () => {
        isOpen[at] = false
      })
    }
    await waitFor('as many to be open as may be', () => isOpen.filter((open) => open).length === sipConnections)
    assert.equal((await getJson(daemon.port('HTTP'), '/health-check')).status, 200)
    const client = await udpClient(t, daemon.port('UDP'))
    client.send(sipRequest({ callId: 'meanwhile' }))
    assert.equal((await rowsOf(daemon, 1)).length, 1)
  },
)

function databaseOf(daemon: DaemonProcess): string {
  return join(daemon.folder, 'sentrypeer.db')
}

function rowsOf(daemon: DaemonProcess, atLeast: number): Promise<HoneyRow[]> {
  return waitFor(`${atLeast} rows`, async () => {
    const rows = await honeyRows(databaseOf(daemon))
    return rows.length >= atLeast ? rows : null
  })
}

/** A ping is answered, or the connection is reset, which may be noticed as early as in the handshake. */
async function isServed(t: TestContext, port: number): Promise<boolean> {
  const client = await tcpClient(t, port).catch(() => null)
  client?.send('\r\n\r\n')
  await waitFor('a pong or a reset', () => client === null || client.socket.closed || client.received() === '\r\n')
  return client?.received() === '\r\n'
}

/** Whatever happened before: the next client is answered. */
async function assertServes(t: TestContext, daemon: DaemonProcess): Promise<void> {
  const client = await tcpClient(t, daemon.port('TCP'))
  client.send(sipRequest({ callId: 'next', transport: 'TCP' }))
  await client.answered('next')
}
