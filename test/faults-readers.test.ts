// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { add, eventOf } from '../src/store/sqlite/fixture.ts'
import { openForWriting } from '../src/store/sqlite/open.ts'
import { createHoneyTable } from '../src/store/sqlite/table.ts'
import { getJson } from './api-client.ts'
import { startDaemon, temporaryFolder } from './daemon-process.ts'
import { metricsOf, sumOf } from './metrics.ts'
import { residentKib } from './resident.ts'
import { sipRequest, type TcpClient, tcpClient, udpClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

const NUMBERS = 100_000
const BATCH = 20_000
const READERS = 20
const LOOK_MS = 1_000 // in which a server that does not wait for its readers has made all of it: measured 0.2 s a list
const MAX_GROWTH_KIB = 100 * 1024 // the lists have 16 MiB each
const SERVED_WITHIN_MS = 2_000

test('twenty who ask for 100,000 numbers and do not read cost little memory, and hold nobody up', async (t) => {
  const folder = await temporaryFolder(t)
  fill(join(folder, 'sentrypeer.db'))
  const daemon = await startDaemon(t, { folder, flags: ['-r'], api: '127.0.0.1:0' })
  const whole = await getJson(daemon.port('HTTP'), '/numbers')
  assert.equal(whole.body.called_numbers?.length, NUMBERS)

  const before = await residentKib(daemon)
  const readers: TcpClient[] = []
  for (let at = 0; at < READERS; at++) {
    const reader = await tcpClient(t, daemon.port('HTTP'))
    reader.socket.pause()
    reader.send('GET /numbers HTTP/1.1\r\nHost: localhost\r\n\r\n')
    readers.push(reader)
  }
  const inProgress = async () => sumOf(await metricsOf(daemon), 'api_lists_in_progress')
  await waitFor('all lists to be under way', async () => (await inProgress()) === READERS)
  await delay(LOOK_MS)
  assert.equal(await inProgress(), READERS, 'each waits for its reader')
  const askedMs = performance.now()
  assert.equal((await getJson(daemon.port('HTTP'), '/health-check')).status, 200)
  const udp = await udpClient(t, daemon.port('UDP'))
  udp.send(sipRequest({ callId: 'meanwhile' }))
  await udp.answered('meanwhile')
  assert.ok(performance.now() - askedMs < SERVED_WITHIN_MS)
  const growthKib = (await residentKib(daemon)).now - before.now
  t.diagnostic(`${Math.round(growthKib / 1024)} MiB more`)
  assert.ok(growthKib < MAX_GROWTH_KIB, `${growthKib} KiB more`)
  for (const { socket } of readers) socket.destroy()
  await waitFor('the lists to be given up', async () => (await inProgress()) === 0)
})

function fill(file: string): void {
  const database = openForWriting(file, { sync: 'normal', onProgress() {} })
  const table = createHoneyTable(database)
  for (let from = 0; from < NUMBERS; from += BATCH) {
    const events = Array.from({ length: BATCH }, (_, at) => eventOf({ calledNumber: String(10_000_000 + from + at) }))
    add(table, ...events)
  }
  database.close()
}
