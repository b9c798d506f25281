// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { createLoadInC, type Load } from '../bench/load.ts'
import { buildLoadProgram } from '../bench/load-program.ts'
import { getJson } from './api-client.ts'
import { type DaemonProcess, startDaemon } from './daemon-process.ts'
import { sqlite } from './evidence.ts'
import { accountOf, type Metrics, metricsOf, sumOf } from './metrics.ts'
import { testWith } from './peers.ts'
import { residentKib } from './resident.ts'
import { sipRequest, tcpClient, udpClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

// Far more than a node can take, from a program in C. What it does then in which order is not looked at here: only what
// others see of it.

const HEAP = '--max-old-space-size=256' // what the systemd unit gives
const MAX_RESIDENT_KIB = 512 * 1024
const MAX_UNEXPLAINED = 0.001 // of what was sent
const FLOOD = { rate: 600_000, count: 250_000, sources: 1_000 } // as fast as the machine can send, for seconds
const SERVED_WITHIN_MS = 10_000 // on a machine that has less than a processor for it
const SETTLED_WITHIN_MS = 60_000

const folder = await mkdtemp(join(tmpdir(), 'sentrypeer-load-'))
after(() => rm(folder, { recursive: true, force: true }))
const program = await buildLoadProgram(folder)

function load(): Load {
  return typeof program === 'string' ? assert.fail(program) : createLoadInC(program)
}

testWith(
  ['cc', 'sqlite3'],
  'a flood of many times what a node can take: every datagram is accounted for, others are served, memory is bounded',
  async (t) => {
    const env = { NODE_OPTIONS: HEAP }
    const daemon = await startDaemon(t, { env, api: '127.0.0.1:0', flags: ['-rj'] })
    const flooding = load().send({ ...FLOOD, port: daemon.port('UDP'), replies: false })
    let isOver = false
    void flooding.finally(() => {
      isOver = true
    })
    const servedMs: number[] = []
    let served = 0
    while (!isOver) {
      const askedMs = performance.now()
      const callId = `meanwhile-${++served}`
      const client = await tcpClient(t, daemon.port('TCP'))
      client.send(sipRequest({ callId, transport: 'TCP' }))
      await client.answered(callId, SERVED_WITHIN_MS)
      client.socket.destroy()
      assert.equal((await getJson(daemon.port('HTTP'), '/health-check')).status, 200)
      servedMs.push(performance.now() - askedMs)
    }
    const { sent, elapsedS } = await flooding
    await settled(daemon, sent + served)
    // It comes to the same socket: what was still in the buffer is read before it, and stored before its answer.
    const after = await udpClient(t, daemon.port('UDP'), '127.0.0.9')
    after.send(sipRequest({ callId: 'after' }))
    await after.answered('after')
    const all = sent + served + 1
    const metrics = await metricsOf(daemon)
    const { received, accounted } = accountOf(metrics)
    const kernelDrops = sumOf(metrics, 'udp_kernel_drops_total')
    assert.ok(kernelDrops > received, `${kernelDrops} dropped of ${all}: that was no overload`)
    assert.equal(accounted, received, 'received is stored or counted')
    assert.ok(Math.abs(received + kernelDrops - all) <= all * MAX_UNEXPLAINED, `${received} + ${kernelDrops} of ${all}`)
    const { most } = await residentKib(daemon)
    t.diagnostic(
      `${sent} datagrams in ${elapsedS.toFixed(1)} s, ${(sent / (received - served)).toFixed(1)} times what was taken; ` +
        `${Math.round(most / 1024)} MiB at most; ${served} others served in ${Math.round(Math.max(...servedMs))} ms at most`,
    )
    assert.ok(most <= MAX_RESIDENT_KIB, `${most} KiB resident`)
    await daemon.stop()
    const [stored] = await sqlite(join(daemon.folder, 'sentrypeer.db'), 'SELECT count(*) AS rows FROM honey')
    assert.deepEqual(stored, { rows: sumOf(metrics, 'events_stored_total') })
  },
)

testWith(
  ['cc', 'sqlite3'],
  'SIGTERM in the middle of such a flood ends in time, and the database is sound',
  async (t) => {
    const daemon = await startDaemon(t, { env: { NODE_OPTIONS: HEAP }, api: '127.0.0.1:0', flags: ['-rj'] })
    const flooding = load().send({ ...FLOOD, port: daemon.port('UDP'), replies: false })
    await waitFor('the flood', async () => sumOf(await metricsOf(daemon), 'packets_received_total') > 2_000)
    await daemon.stop()
    await flooding
    const file = join(daemon.folder, 'sentrypeer.db')
    assert.deepEqual(await sqlite(file, 'PRAGMA integrity_check'), [{ integrity_check: 'ok' }])
    const [sums] = await sqlite<{ rows: number; seen: number }>(
      file,
      'SELECT count(*) AS rows, (SELECT sum(seen_count) FROM bad_actors) AS seen FROM honey',
    )
    assert.ok(sums !== undefined && sums.rows > 2_000 && sums.rows === sums.seen, JSON.stringify(sums))
  },
)

/** When all is in the database, and what the kernel dropped, which is looked up every five seconds, is known. */
async function settled(daemon: DaemonProcess, all: number): Promise<Metrics> {
  let seen = ''
  return waitFor(
    'the account to be complete',
    async () => {
      const metrics = await metricsOf(daemon)
      const { received } = accountOf(metrics)
      const known = received + sumOf(metrics, 'udp_kernel_drops_total')
      seen = `${known} of ${all} known, ${sumOf(metrics, 'events_waiting')} waiting`
      return known >= all * (1 - MAX_UNEXPLAINED) && sumOf(metrics, 'events_waiting') === 0 ? metrics : null
    },
    { withinMs: SETTLED_WITHIN_MS, state: () => seen },
  )
}
