// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import { add, eventOf } from '../src/store/sqlite/fixture.ts'
import { openForWriting } from '../src/store/sqlite/open.ts'
import { createHoneyTable } from '../src/store/sqlite/table.ts'
import { atEnd } from './at-end.ts'
import { startDaemon, temporaryFolder } from './daemon-process.ts'
import { assertSameIds, callIdOf, honeyRows, jsonLines } from './evidence.ts'
import { startLoad } from './load.ts'
import { testWith } from './peers.ts'
import { answeredIn, sipRequest, type TcpClient, tcpClient, tlsClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

const STOP_WITHIN_MS = 5_000
const LISTED = 50_000 // numbers: a list of 7 MB, more than the buffers of a connection hold
const SENT_AT_ONCE = 200

testWith(['sqlite3'], 'datagrams that the kernel holds when SIGTERM comes are stored', async (t) => {
  const daemon = await startDaemon(t)
  const callIds = Array.from({ length: 200 }, (_, at) => `held-${at}`)
  const socket = createSocket('udp4')
  atEnd(t, () => socket.close())
  daemon.signal('SIGSTOP')
  for (const callId of callIds) {
    await new Promise((sent) => socket.send(sipRequest({ callId }), daemon.port('UDP'), '127.0.0.1', sent))
  }
  daemon.signal('SIGTERM')
  daemon.signal('SIGCONT')
  await daemon.ended
  const rows = await honeyRows(join(daemon.folder, 'sentrypeer.db'))
  assertSameIds(
    rows.map((row) => callIdOf(row.sip_message)),
    callIds,
    'rows',
  )
})

testWith(
  ['sqlite3'],
  'what TCP and TLS connections hold unread when SIGTERM comes is stored and answered, on new connections too',
  async (t) => {
    const daemon = await startDaemon(t, { flags: ['-r'], tls: ['127.0.0.1:0'] })
    const clients: TcpClient[] = []
    for (let at = 0; at < 8; at++) clients.push(await tcpClient(t, daemon.port('TCP')))
    for (let at = 0; at < 4; at++) clients.push(await tlsClient(t, daemon.port('TLS')))
    const open = clients.length
    for (const [at, client] of clients.entries()) client.send(requestsOf(`before-${at}`, 1).join(''))
    for (const [at, client] of clients.entries()) await client.answered(`before-${at}-0`)

    daemon.signal('SIGSTOP')
    for (let at = 0; at < 8; at++) clients.push(await tcpClient(t, daemon.port('TCP'))) // the kernel takes them
    for (const [at, { socket }] of clients.entries()) {
      await new Promise((written) => socket.write(requestsOf(`held-${at}`, 20).join(''), written))
    }
    const askedMs = performance.now()
    daemon.signal('SIGTERM')
    daemon.signal('SIGCONT')
    const { code, stderr } = await daemon.ended
    assert.equal(code, 0, stderr)
    assert.ok(performance.now() - askedMs < STOP_WITHIN_MS)
    const callIds = clients.flatMap((_, at) => callIdsOf(`held-${at}`, 20))
    const rows = await honeyRows(join(daemon.folder, 'sentrypeer.db'))
    assertSameIds(
      rows.map((row) => callIdOf(row.sip_message)),
      [...Array.from({ length: open }, (_, at) => `before-${at}-0`), ...callIds],
      'rows',
    )
    await waitFor('the connections to be closed', () => clients.every(({ socket }) => socket.readableEnded))
    assertSameIds(
      clients.flatMap(({ received }) => answeredIn(received())).filter((callId) => callId.startsWith('held')),
      callIds,
      'answers',
    )
  },
)

testWith(['sqlite3'], 'SIGTERM under load: all that was answered is stored, and in the JSON log once', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-rj'], api: '127.0.0.1:0' })
  const load = await startLoad(t, daemon, 'load')
  await waitFor('answers', () => load.answered().length > 1_000, { state: daemon.stderr })
  await daemon.stop()
  load.stop()
  const rows = await honeyRows(join(daemon.folder, 'sentrypeer.db'))
  const stored = new Set(rows.map((row) => callIdOf(row.sip_message)))
  assert.deepEqual(
    load.answered().filter((callId) => !stored.has(callId)),
    [],
  )
  const logged = await jsonLines(join(daemon.folder, 'sentrypeer_json.log'))
  assertSameIds(
    logged.map((line) => line['event_uuid'] ?? ''),
    rows.map((row) => row.event_uuid),
    'the JSON log',
  )
})

testWith(
  ['sqlite3'],
  'a stop in a flood, with a locked database and a list that nobody reads, ends in time',
  async (t) => {
    const folder = await temporaryFolder(t)
    const file = join(folder, 'sentrypeer.db')
    const database = openForWriting(file, { sync: 'normal', onProgress() {} })
    const numbers = Array.from({ length: LISTED }, (_, at) => eventOf({ calledNumber: `00${at}` }))
    add(createHoneyTable(database), ...numbers)
    database.close()
    const daemon = await startDaemon(t, { folder, flags: ['-rj'], api: '127.0.0.1:0' })
    const reader = connect(daemon.port('HTTP'), '127.0.0.1')
    atEnd(t, () => reader.destroy())
    reader.on('error', () => {}) // it is cut
    reader.write('GET /numbers HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(reader, 'readable') // the head and what fits the buffers

    const locker = new DatabaseSync(file, { timeout: 10_000 })
    atEnd(t, () => locker.close())
    locker.exec('BEGIN IMMEDIATE')
    let isOver = false
    atEnd(t, () => {
      isOver = true
    })
    void flood(daemon.port('UDP'), () => isOver)
    await daemon.said(/Cannot store events/)
    await daemon.stop() // which looks at how long it takes
  },
)

/** Datagrams without end, so that the kernel's buffer is never empty. */
async function flood(port: number, isOver: () => boolean): Promise<void> {
  const socket = createSocket('udp4')
  socket.on('error', () => {}) // nobody is there any more
  for (let sent = 0; !isOver(); sent += SENT_AT_ONCE) {
    for (let at = 0; at < SENT_AT_ONCE; at++)
      socket.send(sipRequest({ callId: `flood-${sent + at}` }), port, '127.0.0.1')
    await setImmediate() // or nothing else would ever have its turn
  }
  socket.close()
}

function callIdsOf(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${name}-${at}`)
}

function requestsOf(name: string, count: number): string[] {
  return callIdsOf(name, count).map((callId) => sipRequest({ callId, transport: 'TCP' }))
}
