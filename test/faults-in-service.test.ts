// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { getJson } from './api-client.ts'
import { atEnd } from './at-end.ts'
import { startDaemon, temporaryFolder } from './daemon-process.ts'
import { assertSameIds, callIdOf, honeyRows, jsonLines } from './evidence.ts'
import { accountOf, metricsOf, sumOf } from './metrics.ts'
import { testWith } from './peers.ts'
import { type Ended, start } from './run.ts'
import { answeredIn, sipRequest, tcpClient, udpClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

const LOCKED_S = 6
const LAUNCHER = join(import.meta.dirname, '../bin/sentrypeer')

/** Loaded into the daemon: throws where nobody catches, once there is a file of that name. */
const BUG = `
const { existsSync } = require('node:fs')
if (require('node:worker_threads').isMainThread) {
  const timer = setInterval(() => {
    if (!existsSync('throw')) return
    clearInterval(timer)
    throw new Error('made for the test')
  }, 10).unref()
}
`

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
    const metrics = await metricsOf(daemon)
    assert.ok(sumOf(metrics, 'store_failures_total') > 0)
    assert.deepEqual(
      ['storing', 'events_dropped_total', 'packets_answered_too_late_total'].map((name) => sumOf(metrics, name)),
      [1, 0, 40],
    )
    const { received, accounted } = accountOf(metrics)
    assert.equal(accounted, received)
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

testWith(
  ['sqlite3'],
  'an exception that nobody catches: what came is stored, and the process leaves with 70 to be started again',
  async (t) => {
    const folder = await temporaryFolder(t)
    const bug = join(folder, 'bug.cjs')
    await writeFile(bug, BUG)
    const program = [process.execPath, '--require', bug, LAUNCHER]
    const daemon = await startDaemon(t, { folder, program, flags: ['-rj'] })
    const udp = await udpClient(t, daemon.port('UDP'))
    const callIds = Array.from({ length: 50 }, (_, at) => `bug-${at}`)
    daemon.signal('SIGSTOP')
    for (const callId of callIds) udp.send(sipRequest({ callId }))
    await writeFile(join(folder, 'throw'), '')
    daemon.signal('SIGCONT')
    const { code, stderr } = await daemon.ended
    assert.equal(code, 70, stderr)
    assert.match(stderr, /this is a bug[\s\S]*made for the test/)
    const stored = await honeyRows(join(folder, 'sentrypeer.db'))
    assertSameIds(
      stored.map((row) => callIdOf(row.sip_message)),
      callIds,
      'rows',
    )
    assert.equal((await jsonLines(join(folder, 'sentrypeer_json.log'))).length, callIds.length)
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
