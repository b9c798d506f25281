// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { getJson } from './api-client.ts'
import { type DaemonProcess, startDaemon, temporaryFolder } from './daemon-process.ts'
import { assertSameIds, callIdOf, honeyRows, jsonLines } from './evidence.ts'
import { metricsOf, sumOf } from './metrics.ts'
import { testWith } from './peers.ts'
import { answeredIn, sipRequest, type TcpClient, tcpClient } from './sip-client.ts'
import { smallDisk } from './small-disk.ts'
import { waitFor } from './wait-for.ts'

const BODY = 'x'.repeat(2_000)

testWith(
  ['namespaces', 'sqlite3'],
  'a full disk: events wait in memory, and once there is room each is stored, logged and answered once',
  async (t) => {
    const folder = await temporaryFolder(t)
    const { enter, outside } = await smallDisk(t, folder, 4 * 1024 * 1024)
    const daemon = await startDaemon(t, { folder, enter, flags: ['-rj'], api: '127.0.0.1:0' })
    const client = await tcpClient(t, daemon.port('TCP'))
    const first = await sendProbes(client, 'before', 20)
    await answeredAll(client, first)

    await fill(outside(join(folder, 'filler')))
    const held = await sendProbes(client, 'full', 300)
    await daemon.said(/^Cannot store events, keeping \d+ in memory and trying again: database or disk is full$/m)
    const health = await getJson(daemon.port('HTTP'), '/health-check')
    assert.deepEqual([health.status, health.body['reason']], [503, 'database or disk is full'])
    assert.ok(answeredIn(client.received()).length < first.length + held.length, 'what is not stored is not answered')

    await rm(outside(join(folder, 'filler')))
    await answeredAll(client, [...first, ...held])
    await daemon.said(/^The database takes events again$/m)
    assert.equal((await getJson(daemon.port('HTTP'), '/health-check')).status, 200)
    const metrics = await metricsOf(daemon)
    assert.ok(sumOf(metrics, 'store_failures_total') > 0)
    assert.equal(sumOf(metrics, 'events_stored_total'), sumOf(metrics, 'packets_received_total'))
    const log = outside(join(folder, 'sentrypeer_json.log'))
    await waitFor('the JSON log', async () => (await jsonLines(log).catch(() => [])).length >= 320)
    await daemon.stop() // the namespace, and the disk in it, stay until the test is over
    const copy = join(await temporaryFolder(t), 'copy.db') // the sqlite3 shell finds no way into another namespace
    await copyFile(outside(join(folder, 'sentrypeer.db')), copy)
    await assertOnce(copy, log, [...first, ...held])
  },
)

testWith(
  ['namespaces', 'sqlite3'],
  'a full disk under the JSON log alone: events are stored and answered, and no line is lost or torn',
  async (t) => {
    const folder = await temporaryFolder(t)
    await mkdir(join(folder, 'logs'))
    const { enter, outside, enlarge } = await smallDisk(t, join(folder, 'logs'), 64 * 1024)
    const log = outside(join(folder, 'logs/json.log'))
    const daemon = await startDaemon(t, { folder, enter, flags: ['-rv', '-l', 'logs/json.log'], api: '127.0.0.1:0' })
    const client = await tcpClient(t, daemon.port('TCP'))
    const callIds = await sendProbes(client, 'log', 60) // more than the disk holds: the last line is cut in the middle
    await answeredAll(client, callIds)
    await daemon.said(/^JSON log: cannot write logs\/json\.log, lines wait in memory: ENOSPC/m)
    daemon.signal('SIGHUP') // a rotation that comes just then
    await daemon.said(/^Opened the logs again$/m)
    const [full] = await jsonLogHealth(daemon)
    assert.equal(full?.status, 'FAIL')
    assert.match(full?.reason ?? '', /^cannot write logs\/json\.log, lines wait in memory: ENOSPC/)

    await enlarge(8 * 1024 * 1024)
    await daemon.said(/^JSON log: logs\/json\.log takes lines again$/m)
    assert.deepEqual(await jsonLogHealth(daemon), [{ name: 'jsonlog', status: 'OK' }])
    const more = await sendProbes(client, 'after', 5)
    await answeredAll(client, [...callIds, ...more])
    await waitFor('the JSON log', async () => (await jsonLines(log).catch(() => [])).length >= 65)
    await daemon.stop()
    await assertOnce(join(folder, 'sentrypeer.db'), log, [...callIds, ...more])
  },
)

/** The sinks of `/health-check`. A node that stores is well, whatever its sinks do. */
async function jsonLogHealth(daemon: DaemonProcess): Promise<{ name: string; status: string; reason?: string }[]> {
  const { status, body } = await getJson(daemon.port('HTTP'), '/health-check')
  assert.deepEqual([status, body['status']], [200, 'OK'])
  return body['sinks'] as { name: string; status: string; reason?: string }[] // its shape is held by the API's tests
}

async function sendProbes(client: TcpClient, name: string, probes: number): Promise<string[]> {
  const callIds = Array.from({ length: probes }, (_, at) => `${name}-${at}`)
  for (const callId of callIds) client.send(sipRequest({ callId, transport: 'TCP', body: BODY }))
  return callIds
}

async function answeredAll(client: TcpClient, callIds: readonly string[]): Promise<void> {
  const state = () => `${answeredIn(client.received()).length} of ${callIds.length} answered`
  await waitFor('every answer', () => answeredIn(client.received()).length >= callIds.length, { state })
  assertSameIds(answeredIn(client.received()), callIds, 'answers')
}

async function assertOnce(database: string, log: string, callIds: readonly string[]): Promise<void> {
  const rows = await honeyRows(database)
  assertSameIds(
    rows.map((row) => callIdOf(row.sip_message)),
    callIds,
    'rows',
  )
  const lines = await jsonLines(log)
  assertSameIds(
    lines.map((line) => line['event_uuid'] ?? ''),
    rows.map((row) => row.event_uuid),
    'JSON log',
  )
}

async function fill(path: string): Promise<void> {
  await assert.rejects(writeFile(path, Buffer.alloc(16 * 1024 * 1024)), { code: 'ENOSPC' })
}
