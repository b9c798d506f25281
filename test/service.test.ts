// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { atEnd } from './at-end.ts'
import { type DaemonProcess, startDaemon, temporaryFolder } from './daemon-process.ts'
import { honeyRows } from './evidence.ts'
import { freePorts } from './free-ports.ts'
import { accountOf, metricsOf, sumOf } from './metrics.ts'
import { openNotifySocket, type Told } from './notify-socket.ts'
import { testWith } from './peers.ts'
import { sipRequest, tcpClient, udpClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

// What a service manager hears of a running daemon, and when its watchdog would bite.

const LAUNCHER = join(import.meta.dirname, '../bin/sentrypeer')

const MAX_SENT = 500_000 // most of them are lost in the kernel on a machine that is busy
const SENT_AT_ONCE = 500

/** Loaded into each thread of the daemon: holds up the one whose file is in the working directory. */
const HANG = `
const { existsSync } = require('node:fs')
const sign = require('node:worker_threads').isMainThread ? 'hang-main' : 'hang-database'
const cell = new Int32Array(new SharedArrayBuffer(4))
setInterval(() => { while (existsSync(sign)) Atomics.wait(cell, 0, 0, 20) }, 20).unref()
`

testWith(
  ['python3'],
  'a manager hears READY when every socket listens, then of each reload and the stop',
  async (t) => {
    const folder = await temporaryFolder(t)
    const path = join(folder, 'notify')
    const ports = await freePorts('127.0.0.1', 3)
    const [sip, tls, api] = ports.map((port) => `127.0.0.1:${port}`)
    const manager = await openNotifySocket(t, path, { ports })
    const daemon = await startDaemon(t, {
      folder,
      env: { NOTIFY_SOCKET: path },
      sip: [sip ?? ''],
      tls: [tls ?? ''],
      api: api ?? '',
      flags: ['-j'],
    })
    const [ready] = await toldOnce('READY=1')
    assert.deepEqual(ready, {
      ...ready,
      lines: 'READY=1\nSTATUS=0 events stored since the start',
      reachable: [true, true, true],
    })

    daemon.signal('SIGHUP')
    await waitFor('READY=1 again', () => manager.told('READY=1').length === 2, { state: daemon.stderr })
    const [reload] = await toldOnce('RELOADING=1')
    const atUs = Number(/^MONOTONIC_USEC=(\d+)$/m.exec(reload?.lines ?? '')?.[1])
    assert.ok(Math.abs(atUs / 1_000 - (reload?.atMs ?? 0)) < 5_000, `${atUs} is no time of the manager's clock`)

    await daemon.stop()
    await toldOnce('STOPPING=1')
    assert.deepEqual(
      manager.told().map(({ lines }) => lines.split('\n')[0]),
      ['READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1'],
      'and of no watchdog, since nobody watches',
    )

    function toldOnce(first: string): Promise<Told[]> {
      return waitFor(first, () => (manager.told(first).length > 0 ? manager.told(first) : null), {
        state: daemon.stderr,
      })
    }
  },
)

testWith(['python3'], 'the watchdog is fed every half of its interval, with what the node has done', async (t) => {
  const { manager, daemon } = await watched(t, { watchdogMs: 1_000 })
  const udp = await udpClient(t, daemon.port('UDP'))
  udp.send(sipRequest({ callId: 'one' }))
  await udp.answered('one')
  const fed = await waitFor('five meals', () =>
    manager.told('WATCHDOG=1').length > 4 ? manager.told('WATCHDOG=1') : null,
  )
  const meanMs = ((fed.at(-1)?.atMs ?? 0) - (fed[0]?.atMs ?? 0)) / (fed.length - 1)
  assert.ok(meanMs > 450 && meanMs < 1_000, `every ${meanMs} ms`)
  assert.equal(fed.at(-1)?.lines, 'WATCHDOG=1\nSTATUS=1 events stored since the start')
})

for (const thread of ['main', 'database'] as const) {
  testWith(
    ['python3'],
    `the watchdog starves while the ${thread} thread hangs, and is fed when it goes on`,
    async (t) => {
      const { manager, daemon } = await watched(t, { watchdogMs: 1_000, silenceMs: 2_000 })
      await waitFor('a meal', () => manager.told('WATCHDOG=1').length > 0)
      await writeFile(join(daemon.folder, `hang-${thread}`), '')
      await waitFor('twice the interval without a meal', () => manager.told().at(-1)?.lines === 'SILENCE')
      if (thread === 'database') await answersPing(t, daemon)
      const before = manager.told('WATCHDOG=1').length
      await rm(join(daemon.folder, `hang-${thread}`))
      await waitFor('a meal again', () => manager.told('WATCHDOG=1').length > before)
    },
  )
}

testWith(['python3', 'sqlite3'], 'the watchdog is fed while the database is locked, and told why', async (t) => {
  const watchdogMs = 4_000
  const { manager, daemon } = await watched(t, { watchdogMs })
  const file = join(daemon.folder, 'sentrypeer.db')
  const locker = new DatabaseSync(file, { timeout: 5_000 })
  atEnd(t, () => locker.close())
  locker.exec('BEGIN IMMEDIATE')
  const udp = await udpClient(t, daemon.port('UDP'))
  udp.send(sipRequest({ callId: 'held-up' }))
  const trouble =
    'WATCHDOG=1\nSTATUS=Cannot store events (database is locked), 1 wait in memory, 0 events stored since the start'
  await waitFor('three meals', () => manager.told().filter(({ lines }) => lines === trouble).length >= 3, {
    withinMs: 30_000,
    state: () => JSON.stringify(manager.told()),
  })
  const fed = manager.told('WATCHDOG=1').map(({ atMs }) => atMs)
  for (const [index, atMs] of fed.entries()) {
    assert.ok(atMs - (fed[index - 1] ?? atMs) < watchdogMs, `${fed} ms: the manager would have killed it`)
  }
  locker.exec('ROLLBACK')
  await waitFor('the row', async () => (await honeyRows(file)).length === 1)
})

testWith(
  ['sqlite3'],
  'with a small heap and a locked database a node leaves out events that do not fit, and lives',
  async (t) => {
    const daemon = await startDaemon(t, {
      env: { NODE_OPTIONS: '--max-old-space-size=128' },
      api: '127.0.0.1:0',
      flags: ['-r'],
    })
    const hasLeftOut = async () => {
      const metrics = await metricsOf(daemon)
      return sumOf(metrics, 'events_folded_total') + sumOf(metrics, 'events_dropped_total') > 0
    }
    const file = join(daemon.folder, 'sentrypeer.db')
    const locker = new DatabaseSync(file, { timeout: 5_000 })
    atEnd(t, () => locker.close())
    locker.exec('BEGIN IMMEDIATE')
    const socket = createSocket('udp4')
    atEnd(t, () => socket.close())
    const port = daemon.port('UDP')
    let sent = 0
    for (; !(await hasLeftOut()); sent += SENT_AT_ONCE) {
      assert.ok(sent < MAX_SENT, daemon.stderr())
      const callIds = Array.from({ length: SENT_AT_ONCE }, (_, at) => `${sent + at}`)
      await Promise.all(
        callIds.map((callId) => new Promise((done) => socket.send(sipRequest({ callId }), port, '127.0.0.1', done))),
      )
    }
    locker.exec('ROLLBACK')
    await daemon.said(/^The database takes events again$/m)
    const { received, accounted } = accountOf(await metricsOf(daemon))
    assert.equal(accounted, received, 'received is stored, waiting or dropped')
    await daemon.stop()
    const rows = (await honeyRows(file)).length
    assert.ok(rows > 10_000 && rows < sent, `${rows} rows of ${sent}`)
  },
)

/** A daemon that a manager watches, whose threads hang when told to. */
async function watched(
  t: Parameters<typeof startDaemon>[0],
  { watchdogMs, silenceMs }: { readonly watchdogMs: number; readonly silenceMs?: number },
) {
  const folder = await temporaryFolder(t)
  const [path, hang] = [join(folder, 'notify'), join(folder, 'hang.cjs')]
  await writeFile(hang, HANG)
  const manager = await openNotifySocket(t, path, silenceMs === undefined ? {} : { silenceMs })
  const daemon = await startDaemon(t, {
    folder,
    env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: String(watchdogMs * 1_000) },
    enter: (command) => ['sh', '-c', 'WATCHDOG_PID=$$ exec "$@"', 'sh', ...command],
    program: [process.execPath, '--require', hang, LAUNCHER],
    flags: ['-r'],
  })
  return { manager, daemon }
}

async function answersPing(t: Parameters<typeof startDaemon>[0], daemon: DaemonProcess): Promise<void> {
  const tcp = await tcpClient(t, daemon.port('TCP'))
  tcp.send('\r\n\r\n')
  await waitFor('a pong', () => tcp.received() === '\r\n')
}
