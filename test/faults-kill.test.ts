// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type DaemonProcess, startDaemon, temporaryFolder } from './daemon-process.ts'
import { callIdOf, sqlite } from './evidence.ts'
import { type Load, startLoad } from './load.ts'
import { NIGHTLY } from './nightly.ts'
import { testWith } from './peers.ts'
import { processorWaitMs } from './processor-wait.ts'
import { waitFor } from './wait-for.ts'

// A node is killed in the middle of its work and started again on the same database: what must be there, and once.

const KILLS = NIGHTLY ? 100 : 5
const KILLS_A_FILE = 10 // so that a night of it does not end with a database of gigabytes
const RESTART_WITHIN_MS = 3_000
const STORED_WITHIN_MS = 250
const LIVES_MS = { least: 200, most: 1_000 } // of load, before it is killed

interface Figures {
  answered: number
  rows: number
  restartMs: number
  /** The longest time for which the machine had kept the program, or its answers, waiting when it was killed. */
  starvedMs: number
}

testWith(
  ['sqlite3'],
  'kill -9 at any moment under load: nothing that was answered is missing, nothing is there twice',
  async (t) => {
    const figures: Figures = { answered: 0, rows: 0, restartMs: 0, starvedMs: 0 }
    for (let kills = 0; kills < KILLS; kills += KILLS_A_FILE) {
      await killOver(t, Math.min(KILLS_A_FILE, KILLS - kills), figures)
    }
    t.diagnostic(`${KILLS} kills: ${JSON.stringify(figures)}`)
    assert.ok(figures.answered > KILLS * 50, `only ${figures.answered} answers`)
  },
)

/** Kills a node so many times over one database. */
async function killOver(t: TestContext, kills: number, figures: Figures): Promise<void> {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'sentrypeer.db')
  let firstId = 1
  for (let kill = 1; kill <= kills; kill++) {
    const daemon = await restart(t, folder, figures)
    const load = await startLoad(t, daemon, `kill${kill}`)
    await waitFor('answers', () => load.answered().length > 50, { state: daemon.stderr })
    await delay(LIVES_MS.least + Math.random() * (LIVES_MS.most - LIVES_MS.least)) // any moment is the point of it
    const killedMs = performance.now()
    await daemon.kill()
    load.stop()
    await (await restart(t, folder, figures)).stop() // and with that the log of SQLite is in the file
    const rows = await sqlite<{ sip_message: string }>(
      file,
      `SELECT sip_message FROM honey WHERE honey_id >= ${firstId}`,
    )
    assertAccount(
      load,
      rows.map((row) => callIdOf(row.sip_message)),
      killedMs,
      figures,
    )
    firstId += rows.length
  }
  const [sums] = await sqlite(
    file,
    `SELECT count(*) AS rows, count(DISTINCT event_uuid) AS uuids, max(honey_id) AS last,
      (SELECT sum(seen_count) FROM bad_actors) AS seen FROM honey`,
  )
  const rows = firstId - 1
  assert.deepEqual(sums, { rows, uuids: rows, last: rows, seen: rows })
  assert.deepEqual(await sqlite(file, 'PRAGMA integrity_check'), [{ integrity_check: 'ok' }])
}

async function restart(t: TestContext, folder: string, figures: Figures): Promise<DaemonProcess> {
  const [startedMs, ownWaitMs] = [performance.now(), processorWaitMs(process.pid)]
  const daemon = await startDaemon(t, { folder, flags: ['-rj'] })
  // Without the time for which the machine had others to serve: its own, and that of who looks.
  const waitedMs = processorWaitMs(daemon.pid) + processorWaitMs(process.pid) - ownWaitMs
  const tookMs = performance.now() - startedMs - waitedMs
  assert.ok(tookMs < RESTART_WITHIN_MS, `the start took ${tookMs} ms`)
  figures.restartMs = Math.round(Math.max(figures.restartMs, tookMs))
  return daemon
}

/** Every answered request has its row, so has every one that was sent a little before the end, and none has two. */
function assertAccount(load: Load, stored: readonly string[], killedMs: number, figures: Figures): void {
  const rows = new Set(stored)
  const missing = (callIds: readonly string[]) => callIds.filter((callId) => !rows.has(callId))
  assert.deepEqual(missing(load.answered()), [], 'answered')
  // A program that got no processor for a while has not even read what was sent in that time.
  const starvedMs = killedMs - load.newestAnsweredMs()
  const untilMs = killedMs - Math.max(STORED_WITHIN_MS, 2 * starvedMs)
  assert.deepEqual(missing(load.sentUntil(untilMs)), [], `sent ${killedMs - untilMs} ms before the end`)
  assert.equal(rows.size, stored.length, 'no event twice')
  figures.answered += load.answered().length
  figures.rows += stored.length
  figures.starvedMs = Math.round(Math.max(figures.starvedMs, starvedMs))
}
