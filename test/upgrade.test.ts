// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { getJson } from './api-client.ts'
import { C_ROWS, insertCRows, makeCDatabase } from './c-database.ts'
import { launchDaemon, runDaemon, startDaemon, temporaryFolder } from './daemon-process.ts'
import { sqlite } from './evidence.ts'
import { testWith } from './peers.ts'
import { sipRequest, udpClient } from './sip-client.ts'
import { smallDisk } from './small-disk.ts'
import { waitFor } from './wait-for.ts'

const C_COLUMNS =
  'honey_id, event_timestamp, event_uuid, collected_method, called_number, transport_type, method, user_agent, sip_message, created_by_node_id, created_at'

testWith(
  ['sqlite3'],
  'a database of the C program is upgraded with a copy beside it, every row kept, served and counted',
  async (t) => {
    const folder = await temporaryFolder(t)
    const file = join(folder, 'sentrypeer.db')
    await makeCDatabase(file, C_ROWS)
    const before = await sqlite(file, `SELECT ${C_COLUMNS} FROM honey`)
    const sources = await sqlite(file, 'SELECT source_ip FROM honey')

    const daemon = await startDaemon(t, { folder, api: '127.0.0.1:0' })
    assert.match(
      daemon.stderr(),
      /^Upgrading \.\/sentrypeer\.db \(8 events\); a copy of it is \.\/sentrypeer\.db\.before-upgrade$/m,
    )
    assert.deepEqual(await sqlite(file, `SELECT ${C_COLUMNS} FROM honey`), before)
    assert.deepEqual(await sqlite(file, 'SELECT source_ip, source_port, proof, origin FROM honey'), [
      { source_ip: '203.0.113.9', source_port: null, proof: 'none', origin: 'observed' },
      { source_ip: '203.0.113.9', source_port: 5074, proof: 'none', origin: 'observed' },
      { source_ip: '203.0.113.10', source_port: 5060, proof: 'none', origin: 'observed' },
      { source_ip: '2001:db8::7', source_port: 5060, proof: 'none', origin: 'observed' },
      { source_ip: '2001:db8::7', source_port: null, proof: 'none', origin: 'observed' },
      { source_ip: '198.51.100.3', source_port: 5061, proof: 'none', origin: 'observed' },
      { source_ip: null, source_port: null, proof: 'none', origin: 'observed' },
      { source_ip: 'no address', source_port: null, proof: 'none', origin: 'observed' },
    ])
    const copy = `${file}.before-upgrade`
    assert.deepEqual(await sqlite(copy, `SELECT ${C_COLUMNS} FROM honey`), before)
    assert.deepEqual(await sqlite(copy, 'SELECT source_ip FROM honey'), sources)
    assert.equal((await stat(copy)).mode & 0o777, 0o600, 'for the same eyes as the file')

    const port = daemon.port('HTTP')
    await waitFor('the rows to be counted', async () => (await getJson(port, '/numbers/200')).status === 200)
    for (const [path, count] of [
      ['/ip-addresses/203.0.113.9', '2'],
      ['/ip-addresses/203.0.113.10', '1'],
      ['/ip-addresses/2001:db8::7', '2'],
      ['/ip-addresses/198.51.100.3', '1'],
      ['/numbers/100', '2'],
      ['/numbers/0046500729221', '1'],
      ['/numbers/%2B46500729221', '1'],
    ] as const) {
      const { status, body } = await getJson(port, path)
      assert.deepEqual([status, body.seen_count], [200, count], path)
    }
    const { body } = await getJson(port, '/ip-addresses')
    assert.equal(body['ip_addresses_total'], 4)
    const { body: page } = await getJson(port, '/events?limit=100')
    assert.deepEqual(
      page.events?.map((event) => event['sip_message']).reverse(),
      C_ROWS.map((_, at) => `message ${at}`),
    )
  },
)

testWith(['sqlite3'], 'the second start upgrades nothing and makes no further copy', async (t) => {
  const folder = await temporaryFolder(t)
  await makeCDatabase(join(folder, 'sentrypeer.db'), C_ROWS)
  const first = await startDaemon(t, { folder })
  await first.stop()
  const files = (await readdir(folder)).sort()
  const second = await startDaemon(t, { folder })
  assert.doesNotMatch((await second.stop()).stderr, /pgrad/)
  assert.deepEqual((await readdir(folder)).sort(), files)
  assert.deepEqual(files, ['sentrypeer.db', 'sentrypeer.db.before-upgrade'])
})

testWith(
  ['sqlite3'],
  'rows that others insert with the old columns, while we are stopped or running, are counted',
  async (t) => {
    const folder = await temporaryFolder(t)
    const file = join(folder, 'sentrypeer.db')
    await makeCDatabase(file, [])
    await (await startDaemon(t, { folder })).stop()
    await sqlite(file, insertCRows([{ sourceIp: '203.0.113.1:5060', calledNumber: '111' }]))

    const daemon = await startDaemon(t, { folder, flags: ['-r'], api: '127.0.0.1:0' })
    const countOf = async (path: string) => (await getJson(daemon.port('HTTP'), path)).body.seen_count
    await waitFor('the row inserted meanwhile', async () => (await countOf('/ip-addresses/203.0.113.1')) === '1')
    await sqlite(
      file,
      insertCRows([{ sourceIp: '203.0.113.1', calledNumber: '111' }, { sourceIp: '[2001:db8::1]:5060' }]),
    )
    const client = await udpClient(t, daemon.port('UDP'))
    client.send(sipRequest({ callId: 'ours', number: '222' }))
    await client.answered('ours')
    await waitFor('the rows inserted beside us', async () => (await countOf('/ip-addresses/2001:db8::1')) === '1')
    assert.deepEqual(
      [await countOf('/ip-addresses/203.0.113.1'), await countOf('/numbers/111'), await countOf('/numbers/222')],
      ['2', '2', '1'],
    )
    await daemon.stop()
    assert.deepEqual(await sqlite(file, "SELECT source_ip, source_port FROM honey WHERE event_uuid LIKE 'c-%'"), [
      { source_ip: '203.0.113.1', source_port: 5060 },
      { source_ip: '203.0.113.1', source_port: null },
      { source_ip: '2001:db8::1', source_port: 5060 },
    ])
  },
)

for (const [what, roomIn, wasCopied] of [
  ['for the copy', (bytes: number) => bytes / 2, false],
  ['for the upgrade itself, after the copy', (bytes: number) => bytes + 100_000, true],
] as const) {
  testWith(
    ['sqlite3', 'namespaces'],
    `an upgrade that finds no room ${what} leaves the file byte for byte, and no copy`,
    async (t) => {
      const folder = await temporaryFolder(t)
      const original = join(await temporaryFolder(t), 'sentrypeer.db')
      await makeCDatabase(original, C_ROWS, 4_000)
      const bytes = await readFile(original)
      const size = Math.ceil(bytes.length + roomIn(bytes.length))
      const { enter, outside, enlarge } = await smallDisk(t, folder, size, [original])
      const { code, stderr } = await runDaemon(t, { folder, enter })
      assert.match(
        stderr,
        /cannot open \.\/sentrypeer\.db for writing: database or disk is full\. .*has room.*\[DB_NOT_WRITABLE\]/,
      )
      assert.equal(code, 1)
      assert.equal(/^Upgrading /m.test(stderr), wasCopied)
      assert.equal(sha256(await readFile(outside(join(folder, 'sentrypeer.db')))), sha256(bytes))
      assert.deepEqual(await readdir(outside(folder)), ['sentrypeer.db'])

      await enlarge(64 * 1024 * 1024)
      await startDaemon(t, { folder, enter })
      assert.deepEqual((await readdir(outside(folder))).filter((name) => !/-(wal|shm)$/.test(name)).sort(), [
        'sentrypeer.db',
        'sentrypeer.db.before-upgrade',
      ])
    },
  )
}

for (const [when, isThen] of [
  ['while the copy is made', (folder: string) => existsSync(join(folder, 'sentrypeer.db.before-upgrade.unfinished'))],
  ['after it', (folder: string) => existsSync(join(folder, 'sentrypeer.db.before-upgrade'))],
] as const) {
  testWith(['sqlite3'], `kill -9 in an upgrade, ${when}: the next start finishes it with every row`, async (t) => {
    const folder = await temporaryFolder(t)
    const file = join(folder, 'sentrypeer.db')
    await makeCDatabase(file, C_ROWS, 50_000)
    const { child, ended } = await launchDaemon({ folder })
    await waitFor(when, () => isThen(folder))
    child.kill('SIGKILL')
    await ended
    const userVersion = (await readFile(file)).readUInt32BE(60) // sqlite.org/fileformat.html §1.3
    assert.ok(userVersion === 0 || existsSync(`${file}-journal`), 'it came in time')

    const daemon = await startDaemon(t, { folder, api: '127.0.0.1:0' })
    const counted = 'SELECT sum(seen_count) AS events FROM bad_actors'
    await waitFor('the count', async () => (await sqlite<{ events: number }>(file, counted))[0]?.events === 50_006)
    await daemon.stop()
    assert.deepEqual(await sqlite(file, 'PRAGMA integrity_check'), [{ integrity_check: 'ok' }])
    assert.deepEqual(await sqlite(file, 'SELECT count(*) AS events FROM honey'), [{ events: 50_008 }])
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.includes('unfinished')),
      [],
    )
  })
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
