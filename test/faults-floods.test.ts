// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { Agent, get } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { shareOpenFiles } from '../src/ops/open-files.ts'
import { getJson } from './api-client.ts'
import { atEnd } from './at-end.ts'
import { type DaemonOptions, type DaemonProcess, startDaemon } from './daemon-process.ts'
import { callIdOf, honeyRows, jsonLines } from './evidence.ts'
import { metricsOf, sumOf } from './metrics.ts'
import { testWith } from './peers.ts'
import { run } from './run.ts'
import { sipRequest, tcpClient, udpClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

// More connections than there are places, or than the kernel gives the process files for.

const SERVED_WITHIN_MS = 2_000
const HALF = sipRequest({ callId: 'half', transport: 'TCP', number: '900' }).slice(0, 200)

/** A daemon that may open so many files. */
const withFiles =
  (files: number): NonNullable<DaemonOptions['enter']> =>
  (command) => ['sh', '-c', `ulimit -n ${files} && exec "$@"`, 'sh', ...command]

testWith(
  ['sqlite3'],
  'silent connections from many addresses take every place, and others are served all the same',
  async (t) => {
    const { sipConnections: places } = shareOpenFiles(500, { sockets: 3, hasApi: true })
    const daemon = await startDaemon(t, { flags: ['-r'], api: '127.0.0.1:0', enter: withFiles(500) })
    const crowd = await openMany(t, daemon.port('TCP'), places + 50, 20)
    await waitFor('the places to be taken', () => crowd.open() === places)
    const ended = async () => (await metricsOf(daemon)).get('sentrypeer_connections_ended_total{reason="made_room"}')
    assert.equal(await ended(), 50)
    for (let at = 0; at < 5; at++) await assertServed(t, daemon, `other-${at}`)
    assert.ok(((await ended()) ?? 0) >= 55, 'the newcomers took the places of the silent')
    crowd.leave()
    const rows = await waitFor('what each of them had brought', async () => {
      const found = await honeyRows(join(daemon.folder, 'sentrypeer.db'))
      return found.length >= places + 50 + 10 ? found : null
    })
    assert.equal(rows.filter(({ sip_message }) => sip_message === HALF).length, places + 50)
  },
)

testWith(['sqlite3'], 'with hardly any files to open, the API and UDP go on in a flood of connections', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-r'], api: '127.0.0.1:0', enter: withFiles(64) })
  const crowd = await openMany(t, daemon.port('TCP'), 200, 20)
  await waitFor('most to be closed', () => crowd.closed() > 150)
  await assertServed(t, daemon, 'meanwhile')
  crowd.leave()
  await assertServed(t, daemon, 'afterwards')
})

for (const files of [256, 1_024]) {
  testWith(
    ['sqlite3'],
    `with ${files} files to open, floods of connections to SIP and the API leave each other and the rest theirs`,
    async (t) => {
      const daemon = await startDaemon(t, { flags: ['-rj'], api: '127.0.0.1:0', enter: withFiles(files) })
      const { sipConnections, apiConnections } = shareOpenFiles(files, { sockets: 3, hasApi: true })
      const asker = new Agent({ keepAlive: true, maxSockets: 1 })
      atEnd(t, () => asker.destroy())
      const status = (path: string) => statusOf(asker, daemon.port('HTTP'), path)
      assert.equal(await status('/health-check'), 200)
      const sip = await openMany(t, daemon.port('TCP'), sipConnections + 50, 20)
      const idle = await openMany(t, daemon.port('HTTP'), apiConnections + 50, 20, 'GET / HTTP/1.1\r\n')
      await waitFor('all places to be taken', () => sip.open() === sipConnections && idle.open() === apiConnections - 1)

      assert.equal(await status('/numbers'), 200, 'a list has a connection of its own to the database')
      daemon.signal('SIGHUP') // a log rotation that comes just then
      const udp = await udpClient(t, daemon.port('UDP'))
      udp.send(sipRequest({ callId: 'meanwhile' }))
      await udp.answered('meanwhile')
      const taken = (await readdir(`/proc/${daemon.pid}/fd`)).length
      assert.ok(taken < files, `${taken} of ${files} files`)
      idle.leave()
      sip.leave()
      await waitFor('the API to have places', () => idle.open() === 0)
      await assertServed(t, daemon, 'afterwards')
      assert.equal(sumOf(await metricsOf(daemon), 'socket_errors_total'), 0)
    },
  )
}

testWith(
  ['sqlite3'],
  'when the kernel gives no more files (EMFILE) UDP goes on, and the rest when there are some again',
  async (t) => {
    const daemon = await startDaemon(t, { flags: ['-rj'], api: '127.0.0.1:0' })
    const files = async () => (await readdir(`/proc/${daemon.pid}/fd`)).length
    const few = (await files()) + 5
    const { code, stderr } = await run(['prlimit', `--pid=${daemon.pid}`, `--nofile=${few}:${few}`])
    assert.equal(code, 0, stderr)
    const crowd = await openMany(t, daemon.port('TCP'), 100, 10)
    await waitFor('all to be connected, and all that find no file to be closed', () => crowd.closed() >= 90)
    assert.ok((await files()) >= few, 'there is none left')
    const udp = await udpClient(t, daemon.port('UDP'))
    for (let at = 0; at < 20; at++) udp.send(sipRequest({ callId: `udp-${at}` }))
    for (let at = 0; at < 20; at++) await udp.answered(`udp-${at}`)
    daemon.signal('SIGHUP') // a log rotation that comes just then
    udp.send(sipRequest({ callId: 'after-rotation' }))
    await udp.answered('after-rotation')

    crowd.leave()
    await waitFor('files', async () => (await files()) < few)
    await assertServed(t, daemon, 'afterwards')
    await daemon.stop()
    const rows = await honeyRows(join(daemon.folder, 'sentrypeer.db'))
    const stored = new Set(rows.map(({ sip_message }) => callIdOf(sip_message)))
    const answered = [...Array.from({ length: 20 }, (_, at) => `udp-${at}`), 'after-rotation', 'tcp-afterwards']
    assert.deepEqual(
      answered.filter((callId) => !stored.has(callId)),
      [],
    )
    const logged = await jsonLines(join(daemon.folder, 'sentrypeer_json.log'))
    assert.equal(logged.length, rows.length, 'the log has them all')
  },
)

interface Crowd {
  open(): number
  closed(): number
  leave(): void
}

/** Connections from so many addresses, each of which begins a message and says no more. */
async function openMany(t: TestContext, port: number, count: number, addresses: number, begin = HALF): Promise<Crowd> {
  const sockets: Socket[] = []
  let [open, closed] = [0, 0]
  const leave = () => {
    for (const socket of sockets) socket.destroy()
  }
  atEnd(t, leave)
  const connected: Promise<void>[] = []
  for (let at = 0; at < count; at++) {
    const socket = connect({ port, host: '127.0.0.1', localAddress: `127.1.0.${1 + (at % addresses)}` })
    sockets.push(socket)
    socket.on('error', () => {}) // it is closed, and counted then
    connected.push(
      new Promise((resolve) => {
        socket.on('connect', () => {
          open++
          socket.on('close', () => open--)
          socket.write(begin, () => resolve())
        })
        socket.on('close', () => {
          closed++
          resolve()
        })
      }),
    )
    if (at % 10 === 9) await Promise.all(connected) // what it wrote has to be there before it is in the way of others
  }
  await Promise.all(connected)
  return { open: () => open, closed: () => closed, leave }
}

function statusOf(agent: Agent, port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ agent, host: '127.0.0.1', port, path }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0))
    }).once('error', reject)
  })
}

/** A newcomer over TCP and over UDP, and who asks the API, wait for less than two seconds each. */
async function assertServed(t: TestContext, daemon: DaemonProcess, name: string): Promise<void> {
  const tcp = await tcpClient(t, daemon.port('TCP'))
  tcp.send(sipRequest({ callId: `tcp-${name}`, transport: 'TCP' }))
  await tcp.answered(`tcp-${name}`, SERVED_WITHIN_MS)
  const udp = await udpClient(t, daemon.port('UDP'))
  udp.send(sipRequest({ callId: `udp-${name}` }))
  await udp.answered(`udp-${name}`, SERVED_WITHIN_MS)
  const askedMs = performance.now()
  assert.equal((await getJson(daemon.port('HTTP'), '/health-check')).status, 200)
  assert.ok(performance.now() - askedMs < SERVED_WITHIN_MS)
  assert.ok(sumOf(await metricsOf(daemon), 'connections_accepted_total') > 0)
}
