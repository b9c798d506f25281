// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { atEnd } from './at-end.ts'
import { temporaryFolder } from './daemon-process.ts'
import { start } from './run.ts'
import { account } from './soak/account.ts'
import { countedIn } from './soak/books.ts'
import { jsonLogs, NAMES } from './soak/disturbances.ts'
import type { Sample } from './soak/quiet-client.ts'
import { reportText } from './soak/report.ts'
import { type SoakReport, soak } from './soak/soak.ts'
import { faultsOfTimes } from './soak/times.ts'
import { faultsOfMemory, faultsOfWal } from './soak/watch.ts'
import { waitFor } from './wait-for.ts'

/* The short run of the soak, and what it takes for granted of itself. docs/soak.md has the long one. */

const SECONDS = 20
const DONE = [
  'probes',
  'flood datagrams',
  'hostile datagrams',
  'hostile connections',
  'TCP messages',
  'TLS messages',
] as const
const DISTURBED = [
  'locks of the database',
  'rotations of the JSON log',
  'API answers 200',
  'lists read slowly',
] as const

const sql = (statement: string) => async (folder: string) => {
  const database = new DatabaseSync(join(folder, NAMES.database))
  database.exec(statement)
  database.close()
}

const inFirstLog = (change: (text: string) => string) => async (folder: string) => {
  const [file = ''] = jsonLogs(folder)
  await writeFile(file, change(await readFile(file, 'utf8')))
}

const COPY_OF_ROW = (which: string) =>
  `CREATE TEMP TABLE one AS SELECT * FROM honey WHERE ${which} LIMIT 1; UPDATE one SET honey_id = NULL;
   INSERT INTO honey SELECT * FROM one`

const BREAKAGES = [
  ['an event that is not stored', sql('DELETE FROM honey WHERE honey_id = 100'), /datagrams \d+ are stored.* are left/],
  [
    'a message of a sound stream that is not stored',
    sql("DELETE FROM honey WHERE source_ip GLOB '127.30.*' AND honey_id % 2 = 0"),
    /messages of sound streams are nowhere/,
  ],
  [
    'a message of a damaged stream that is not stored',
    sql("DELETE FROM honey WHERE source_ip GLOB '127.32.*' AND honey_id % 2 = 0"),
    /messages of sound streams are nowhere/,
  ],
  [
    'an event that is stored twice',
    sql(COPY_OF_ROW("honey_id = (SELECT min(honey_id) FROM honey WHERE transport_type = 'UDP')")),
    /was sent \d+ times and is there \d+ times/,
  ],
  [
    'an event with the id of another',
    sql('UPDATE honey SET event_uuid = (SELECT event_uuid FROM honey WHERE honey_id = 1) WHERE honey_id = 2'),
    /^event_uuids: /,
  ],
  [
    'a row that nobody sent',
    sql("UPDATE honey SET sip_message = 'x', source_ip = '192.0.2.1' WHERE honey_id = 3"),
    /^row 3 from 192\.0\.2\.1:\d+ was never sent$/,
  ],
  [
    'a retransmission that is not counted',
    sql(`UPDATE honey SET retransmissions = retransmissions - 1 WHERE honey_id =
         (SELECT min(honey_id) FROM honey WHERE retransmissions > 0)`),
    /^retransmissions on rows: /,
  ],
  [
    'an aggregate that is off by one',
    sql('UPDATE bad_actors SET seen_count = seen_count + 1'),
    /^events of bad actors: /,
  ],
  [
    'a line that the log lost',
    inFirstLog((text) => text.slice(text.indexOf('\n') + 1)),
    /^1 events are not in the JSON log$/,
  ],
  ['a line that the log tore', inFirstLog((text) => text.slice(0, -10)), /^1 lines of .* are torn/],
  [
    'a line that the log has twice',
    inFirstLog((text) => text.slice(0, text.indexOf('\n') + 1) + text),
    /of an event that has a line already$/,
  ],
] as const

test('for some seconds of everything at once, each message is stored or counted; the accounting sees when one is not', async (t) => {
  const report = await shortSoak(await temporaryFolder(t))
  await t.test('sent is stored and counted', () => {
    assert.deepEqual(report.findings, [], reportText(report))
    const { stored, keepAlives, retransmissions } = countedIn(report.metrics)
    assert.ok(stored > 2_000 && keepAlives > 20 && retransmissions > 20, reportText(report))
    for (const what of [...DONE, ...DISTURBED]) assert.ok((report.notes.get(what) ?? 0) > 0, `no ${what}`)
    assert.ok(report.samples.length > 200 && report.looks.length > 5)
  })
  for (const [what, damage, said] of BREAKAGES) {
    await t.test(`${what} is found`, async (t) => {
      const folder = await temporaryFolder(t)
      await cp(report.folder, folder, { recursive: true, filter: (file) => !file.endsWith(`/${NAMES.syslog}`) })
      await damage(folder)
      const { faults } = await account({ ...report, folder })
      assert.ok(
        faults.some((fault) => said.test(fault)),
        faults.join('\n'),
      )
    })
  }
  await t.test('a syslog line that was lost is found', async () => {
    const { syslog } = report
    if (syslog === null) return t.diagnostic('no python3, no syslog')
    const { faults } = await account({ ...report, syslog: { ...syslog, lines: syslog.lines - 1 } })
    assert.match(faults.join('\n'), /^syslog lines: \d+, delivered: \d+$/)
  })
})

async function shortSoak(folder: string): Promise<SoakReport> {
  const over = new AbortController().signal
  return soak({ seed: randomInt(2 ** 31), seconds: SECONDS, folder, over, judgesTimes: false, onProgress() {} })
}

test('a Ctrl-C ends the soak with the accounting of what was done, and nothing is left running', async (t) => {
  const folder = await temporaryFolder(t)
  const command = [process.execPath, join(import.meta.dirname, 'soak/run.ts'), '--minutes', '10', '--out', folder]
  const { child, ended, stderr } = await start(command, { env: { ...process.env, TMPDIR: folder } })
  atEnd(t, () => child.kill('SIGKILL'))
  await waitFor('the node', () => /node \d+ listens/.test(stderr()), { withinMs: 30_000, state: stderr })
  const pid = Number(/node (\d+) listens/.exec(stderr())?.[1])
  process.kill(pid, 0)
  child.kill('SIGINT')
  const { code, stdout } = await ended
  assert.deepEqual([code, /^nothing is wrong$/m.test(stdout)], [0, true], stdout + stderr())
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  assert.match(await readFile(join(folder, 'memory.csv'), 'utf8'), /^s,resident_mib,files,threads,wal_mib\n/)
})

const FLAT = Array.from({ length: 320 }, (_, at) => 200 + (at % 40))

for (const [what, residentMib, faults] of [
  ['memory that goes up and down', FLAT, 0],
  ['memory that grows until the program is warm', FLAT.map((mib, at) => mib - Math.max(0, 50 - at)), 0],
  ['memory that goes on growing', FLAT.map((mib, at) => mib - 100 + at), 1],
  ['memory that grows in too few samples to tell', FLAT.slice(0, 20).map((mib, at) => mib + at * 10), 0],
  ['memory that is too much once', [...FLAT, 513, ...FLAT], 1],
] as const) {
  test(`${what} is ${faults === 0 ? 'no finding' : 'a finding'}`, () => {
    assert.equal(faultsOfMemory(residentMib).length, faults)
  })
}

test('a write-ahead log that is never begun anew is a finding', () => {
  assert.deepEqual(faultsOfWal([0, 64, 200, 100]), [])
  assert.deepEqual(faultsOfWal([0, 400, 10]), ['the write-ahead log grew to 400 MiB, more than 384'])
})

test('times are a finding when they are long, but not those of replies that waited for a lock', () => {
  const answered = (kind: Sample['kind'], ms: number | null) =>
    Array.from({ length: 100 }, (_, at): Sample => ({ kind, atMs: at, ms }))
  const usual = [...answered('reply', 2), ...answered('ping', 1), ...answered('look-up', 3)]
  const late: Sample[] = Array.from({ length: 20 }, () => ({ kind: 'reply', atMs: 20_000, ms: 1_900 }))
  assert.deepEqual(faultsOfTimes(usual, []), [])
  assert.deepEqual(faultsOfTimes([...usual, ...late], []), ['p99 of a reply was 1900 ms, more than 1000'])
  assert.deepEqual(faultsOfTimes([...usual, ...late], [{ fromMs: 18_000, toMs: 19_000 }]), [])
  assert.deepEqual(faultsOfTimes([...usual, { kind: 'ping', atMs: 0, ms: 1_600 }], []), [
    'the event loop stood still for 1600 ms',
  ])
  assert.deepEqual(faultsOfTimes([...usual, ...answered('look-up', null)], []), ['100 of 200 times no look-up came'])
})
