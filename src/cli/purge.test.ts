// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { loadConfig } from '../config/load.ts'
import { add, eventOf, settle, temporaryFolder, temporaryStore } from '../store/sqlite/fixture.ts'
import { purge } from './purge.ts'

const NOW = Date.UTC(2026, 10, 22)
const quiet = { say: () => {}, wallMs: () => NOW }

function configFor(file: string) {
  return loadConfig({ argv: ['-f', file], env: {}, homeDir: '/nonexistent', readFile: () => Buffer.alloc(0) })
}

test('what is older than the time is deleted, beside a node that has the file open', async (t) => {
  const { file, table, catchUp, reader } = temporaryStore(t)
  const old = { timestamp: '2026-01-30 23:59:59.999999999', sourceIp: '198.51.100.1', calledNumber: '1' }
  const kept = { timestamp: '2026-01-31 00:00:00.000000000', sourceIp: '198.51.100.2', calledNumber: '2' }
  add(table, eventOf(old), eventOf(old), eventOf(kept))
  settle(catchUp)
  assert.equal(
    await purge(configFor(file), '2026-01-31', quiet),
    'Deleted 2 events, 1 bad actors and 1 called numbers from before 2026-01-31 00:00 UTC\n',
  )
  assert.deepEqual(
    reader.events({ limit: 9 }).events.map(({ sourceIp }) => sourceIp),
    ['198.51.100.2'],
  )
  assert.deepEqual(reader.totals(), { badActors: 1, calledNumbers: 1 })
  add(table, eventOf(kept))
  assert.equal(new DatabaseSync(file, { readOnly: true }).prepare('SELECT count(*) AS n FROM honey').get()?.['n'], 2)
})

for (const text of [
  '',
  'yesterday',
  '2026-13-01',
  '2026-02-30',
  '2026-01-31 25:00',
  "2026-01-31' OR 1",
  '2026-11-23',
]) {
  test(`"${text}" is no time to delete before`, async (t) => {
    const { file, table } = temporaryStore(t)
    add(table, eventOf())
    await assert.rejects(purge(configFor(file), text, quiet), { code: 'USAGE' })
  })
}

test('a file that is not there is not made', async (t) => {
  const file = join(temporaryFolder(t), 'none.db')
  await assert.rejects(purge(configFor(file), '2026-01-31', quiet), {
    code: 'DB_NOT_WRITABLE',
    message: `there is no database ${file}`,
  })
})
