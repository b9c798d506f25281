// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { getJson } from './api-client.ts'
import { atEnd } from './at-end.ts'
import { startDaemon, temporaryFolder } from './daemon-process.ts'
import { assertSameIds, callIdOf, honeyRows, jsonLines, sqlite } from './evidence.ts'
import { startLoad } from './load.ts'
import { testWith } from './peers.ts'
import { type Ended, start } from './run.ts'
import { answeredIn, sipRequest, tcpClient, udpClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

const KILLS = 5
const RESTART_WITHIN_MS = 3_000
const LOCKED_S = 6

/** A Python program that holds the write lock of a database until its standard input ends, or for some seconds. */
const LOCK_HOLDER = `
import select, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute('BEGIN IMMEDIATE')
print('locked', flush=True)
select.select([sys.stdin], [], [], float(sys.argv[2]))
database.execute('ROLLBACK')
print('released', flush=True)
`

testWith(['sqlite3'], 'what was answered is in the database after kill -9 under load, five times over', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'sentrypeer.db')
  const answered: string[] = []
  const sent: string[] = []
  for (let round = 1; round <= KILLS; round++) {
    const startedMs = performance.now()
    const daemon = await startDaemon(t, { folder, flags: ['-rj'] })
    assert.ok(performance.now() - startedMs < RESTART_WITHIN_MS)
    const load = await startLoad(t, daemon, `round${round}`)
    await waitFor('load for more than a second', () => load.sentBefore(1_000).length > 50, { state: daemon.stderr })
    sent.push(...load.sentBefore(1_000))
    await daemon.kill()
    load.stop()
    answered.push(...load.answered())
  }
  await (await startDaemon(t, { folder })).stop()

  const rows = await honeyRows(file)
  const stored = new Set(rows.map((row) => callIdOf(row.sip_message)))
  assert.ok(answered.length > KILLS * 200, `only ${answered.length} answers`)
  assert.deepEqual(
    answered.filter((callId) => !stored.has(callId)),
    [],
  )
  assert.deepEqual(
    sent.filter((callId) => !stored.has(callId)),
    [],
    'sent a second before the end',
  )
  assertSameIds(
    rows.map((row) => row.event_uuid),
    rows.map((row) => row.event_uuid),
    'events',
  )
  assert.equal(stored.size, rows.length, 'no event twice')
  assert.deepEqual(await sqlite(file, 'PRAGMA integrity_check'), [{ integrity_check: 'ok' }])
  const counted = await sqlite<{ sum: number }>(file, 'SELECT sum(seen_count) AS sum FROM bad_actors')
  assert.deepEqual(counted, [{ sum: rows.length }])
})

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
  ['sqlite3', 'python3'],
  'another program holds the write lock for six seconds: nothing is lost or held up',
  async (t) => {
    const daemon = await startDaemon(t, { flags: ['-rj'], api: '127.0.0.1:0' })
    const file = join(daemon.folder, 'sentrypeer.db')
    const udp = await udpClient(t, daemon.port('UDP'))
    const tcp = await tcpClient(t, daemon.port('TCP'))
    udp.send(sipRequest({ callId: 'before' }))
    await udp.answered('before')
    const holder = await holdLock(t, file)

    const callIds = Array.from({ length: 80 }, (_, at) => `locked-${at}`)
    for (const callId of callIds.slice(0, 40)) udp.send(sipRequest({ callId }))
    for (const callId of callIds.slice(40)) tcp.send(sipRequest({ callId, transport: 'TCP' }))
    await daemon.said(/^Cannot store events, keeping \d+ in memory and trying again: database is locked/m)
    const askedMs = performance.now()
    const newcomer = await tcpClient(t, daemon.port('TCP'))
    newcomer.send('\r\n\r\n')
    await waitFor('a pong', () => newcomer.received() === '\r\n')
    const health = await getJson(daemon.port('HTTP'), '/health-check')
    assert.deepEqual([health.status, health.body['reason']], [503, 'database is locked'])
    assert.equal((await getJson(daemon.port('HTTP'), '/ip-addresses/127.0.0.1')).body.seen_count, '1')
    assert.ok(performance.now() - askedMs < 2_000, 'sockets and API did not wait for the lock')
    assert.deepEqual(answeredIn(tcp.received()), [], 'nothing is answered before it is stored')
    assert.equal(holder.stdout(), 'locked\n')

    assert.equal((await holder.ended).code, 0)
    await daemon.said(/^The database takes events again$/m)
    const rows = await waitFor('every event', async () => {
      const stored = await honeyRows(file)
      return stored.length > callIds.length ? stored : null
    })
    assertSameIds(
      rows.map((row) => callIdOf(row.sip_message)),
      ['before', ...callIds],
      'rows',
    )
    const answers = () => [...answeredIn(udp.received()), ...answeredIn(tcp.received())]
    udp.send(sipRequest({ callId: 'after' }))
    await udp.answered('after')
    await waitFor('every answer over TCP', () => answeredIn(tcp.received()).length === 40)
    // After seconds nobody waits for a datagram any more: those of that time are stored, and not answered.
    assertSameIds(answers(), ['before', 'after', ...callIds.slice(40)], 'answers')
    assert.equal((await getJson(daemon.port('HTTP'), '/health-check')).status, 200)
  },
)

testWith(
  ['sqlite3', 'python3'],
  'a stop while the database is locked ends in time and says what is lost',
  async (t) => {
    const daemon = await startDaemon(t, { flags: ['-r'] })
    const file = join(daemon.folder, 'sentrypeer.db')
    const client = await udpClient(t, daemon.port('UDP'))
    client.send(sipRequest({ callId: 'before' }))
    await client.answered('before')
    await holdLock(t, file, 60)
    for (const callId of ['one', 'two']) client.send(sipRequest({ callId }))
    await daemon.said(/Cannot store events/)
    const { stderr } = await daemon.stop()
    assert.equal(stderr.match(/2 events could not be stored before stopping and are lost/g)?.length, 1, stderr)
    assert.deepEqual(answeredIn(client.received()), ['before'])
    assert.deepEqual(
      (await honeyRows(file)).map((row) => callIdOf(row.sip_message)),
      ['before'],
    )
  },
)

testWith(
  ['sqlite3', 'python3'],
  'a second signal ends a stop that takes long, and what was stored stays',
  async (t) => {
    const daemon = await startDaemon(t, { flags: ['-rv'] })
    const file = join(daemon.folder, 'sentrypeer.db')
    const client = await udpClient(t, daemon.port('UDP'))
    client.send(sipRequest({ callId: 'before' }))
    await client.answered('before')
    await holdLock(t, file, 60)
    client.send(sipRequest({ callId: 'held-up' }))
    await daemon.said(/Cannot store events/)
    const askedMs = performance.now()
    daemon.signal('SIGINT')
    await daemon.said(/^Stopping sentrypeer/m)
    let end: Ended | null = null
    void daemon.ended.then((ended) => {
      end = ended
    })
    // One that comes right behind the first is the same wish (Ctrl-C reaches a whole group of processes): insist.
    const { code, signal, stderr } = await waitFor('the end', () => {
      if (end === null) daemon.signal('SIGTERM')
      return end
    })
    assert.deepEqual({ code, signal }, { code: 1, signal: null })
    assert.ok(performance.now() - askedMs < 2_500, 'it did not wait for the database')
    assert.match(stderr, /^SIGTERM again: leaving without waiting$/m)
    assert.deepEqual(
      (await honeyRows(file)).map((row) => callIdOf(row.sip_message)),
      ['before'],
    )
  },
)

/** Resolves once the lock is held. */
async function holdLock(t: TestContext, file: string, seconds = LOCKED_S) {
  const holder = await start(['python3', '-c', LOCK_HOLDER, file, String(seconds)])
  atEnd(t, async () => {
    holder.child.kill('SIGKILL')
    await holder.ended
  })
  await waitFor('the lock', () => holder.stdout() === 'locked\n', { state: holder.stderr })
  return holder
}
