// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmod, copyFile, mkdir, open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { collected } from './collected.ts'
import { type DaemonOptions, runDaemon, startDaemon, temporaryFolder } from './daemon-process.ts'
import { honeyRows, sqlite } from './evidence.ts'
import { testWith } from './peers.ts'
import { createMountNamespace, unprivileged } from './privileges.ts'

/** Makes a damaged file out of one that a daemon wrote; the message that is then expected. */
interface Damage {
  readonly what: string
  readonly make: (sound: string, file: string) => Promise<void>
  readonly message: RegExp
}

const PAGE_BYTES = 8192
const CORRUPT = /is not a sound SQLite database: .*\..*not touched.*\.recover.*\[DB_CORRUPT\]/

const DAMAGES: readonly Damage[] = [
  { what: 'has a few bytes of its beginning only', make: cutAt(() => 60), message: CORRUPT },
  { what: 'has its first page only', make: cutAt(() => PAGE_BYTES), message: CORRUPT },
  { what: 'lost its last page', make: cutAt((size) => size - PAGE_BYTES), message: CORRUPT },
  { what: 'ends in the middle of its last page', make: cutAt((size) => size - 4_000), message: CORRUPT },
  { what: 'has a broken first table', make: scribbled(PAGE_BYTES, PAGE_BYTES), message: CORRUPT },
  { what: 'has broken pages in its middle', make: scribbled(4 * PAGE_BYTES, 6 * PAGE_BYTES), message: CORRUPT },
  { what: 'is no SQLite file', make: (_, file) => writeFile(file, 'Dear diary,\n'.repeat(999)), message: CORRUPT },
  {
    what: 'belongs to another program',
    make: async (_, file) =>
      void (await sqlite(file, 'CREATE TABLE cookies (host TEXT); INSERT INTO cookies VALUES (1)')),
    message: /is a SQLite database, but not one of SentryPeer\..*-f.*\[DB_FOREIGN\]/,
  },
  {
    what: 'was written by a newer version',
    make: async (sound, file) => {
      await copyFile(sound, file)
      await sqlite(file, 'PRAGMA user_version = 99')
    },
    message: /was written by a newer SentryPeer \(schema 99, .*\..*\[DB_TOO_NEW\]/,
  },
]

for (const { what, make, message } of DAMAGES) {
  testWith(['sqlite3'], `a database that ${what} ends the start and stays byte for byte`, async (t) => {
    const folder = await temporaryFolder(t)
    const file = join(folder, 'damaged.db')
    await make(await collected(t, folder, 60), file)
    const before = await fingerprint(file)
    await assertRefused(t, { folder, flags: ['-f', 'damaged.db'] }, message)
    assert.equal(await fingerprint(file), before)
    assert.deepEqual((await readdir(folder)).sort(), ['damaged.db', 'sentrypeer.db'])
  })
}

testWith(['sqlite3'], 'an empty file is taken as a new database', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'sentrypeer.db'), '')
  assert.equal((await honeyRows(await collected(t, folder, 2))).length, 2)
})

testWith(['sqlite3'], 'a new database is for its owner and group only', async (t) => {
  const file = await collected(t, await temporaryFolder(t), 1)
  assert.equal((await stat(file)).mode & 0o777, 0o640)
})

for (const [what, path] of [
  ['database file', 'evidence/sentrypeer.db'],
  ['folder of the database', 'evidence'],
] as const) {
  testWith(['sqlite3'], `a ${what} that this user may not write ends the start, and evidence stays`, async (t) => {
    const folder = await temporaryFolder(t)
    const file = join(folder, 'evidence/sentrypeer.db')
    await mkdir(dirname(file))
    await copyFile(await collected(t, folder, 4), file)
    const before = await fingerprint(file)
    await chmod(join(folder, path), path === 'evidence' ? 0o500 : 0o400)
    const message = /cannot open evidence\/sentrypeer\.db for writing: .*\..*-f names a file.*\[DB_NOT_WRITABLE\]/
    await assertRefused(t, { folder, flags: ['-f', 'evidence/sentrypeer.db'], enter: unprivileged }, message)
    assert.equal(await fingerprint(file), before)
    await chmod(join(folder, path), 0o700)
    assert.equal((await honeyRows(file)).length, 4)
  })
}

testWith(['namespaces', 'sqlite3'], 'a database on a read-only disk ends the start, and evidence stays', async (t) => {
  const folder = await temporaryFolder(t)
  const file = await collected(t, folder, 4)
  const before = await fingerprint(file)
  const { enter } = await createMountNamespace(t, 'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"', folder)
  await assertRefused(t, { folder, enter }, /cannot open \.\/sentrypeer\.db for writing: .*\..*\[DB_NOT_WRITABLE\]/)
  assert.equal(await fingerprint(file), before)
  assert.equal((await honeyRows(file)).length, 4)
})

testWith(['namespaces', 'sqlite3'], 'a full disk at start is told, and what was there stays', async (t) => {
  const folder = await temporaryFolder(t)
  const script = 'mount -t tmpfs -o size=1m,mode=700 full "$1"; head -c 2m /dev/zero >"$1/filler" 2>/dev/null || :'
  const { enter } = await createMountNamespace(t, script, folder)
  await assertRefused(
    t,
    { folder, enter },
    /cannot open \.\/sentrypeer\.db for writing: .*\..*has room.*\[DB_NOT_WRITABLE\]/,
  )
})

testWith(['sqlite3'], 'the node id stays the same after every fault', async (t) => {
  const folder = await temporaryFolder(t)
  await collected(t, folder, 1)
  await assertRefused(t, { folder, sip: ['192.0.2.77:0'] }, /EADDRNOTAVAIL/)
  const file = await collected(t, folder, 1)
  assert.equal(new Set((await honeyRows(file)).map((row) => row.created_by_node_id)).size, 1)
  const daemon = await startDaemon(t, { folder })
  await daemon.kill()
  await collected(t, folder, 1)
  const [nodes] = await sqlite<{ ids: number }>(file, 'SELECT count(DISTINCT created_by_node_id) AS ids FROM honey')
  assert.equal(nodes?.ids, 1)
})

async function assertRefused(t: TestContext, options: DaemonOptions, message: RegExp): Promise<void> {
  const { code, stderr } = await runDaemon(t, options)
  assert.match(stderr, message)
  assert.doesNotMatch(stderr, /this is a bug|Listening/)
  assert.equal(code, 1)
}

async function fingerprint(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
}

function cutAt(length: (size: number) => number): Damage['make'] {
  return async (sound, file) => {
    await copyFile(sound, file)
    await truncate(file, length((await stat(file)).size))
  }
}

function scribbled(at: number, length: number): Damage['make'] {
  return async (sound, file) => {
    await copyFile(sound, file)
    const handle = await open(file, 'r+')
    await handle.write(Buffer.alloc(length, 0xa5), 0, length, at)
    await handle.close()
  }
}
