// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { CATCH_UP_SIZES, createCatchUp } from './catch-up.ts'
import { settle, temporaryFolder } from './fixture.ts'
import { checkAll, rowsIn } from './fixture-truth.ts'
import { openForWriting } from './open.ts'
import { openSqliteReader } from './reader.ts'
import { CREATE_COUNTS, CREATE_HONEY, OUR_COLUMNS } from './schema.ts'
import { upgradeFrom1 } from './upgrade-from-1.ts'

const ROWS = 70_000 // more than one run
const COUNTED_UPTO = 69_990
const UNCOUNTED = [100, 5_000] as const

/** A file as layout 1 had it: rows up to 69,990 counted but for an interval, ten that somebody inserted afterwards. */
function fileOfLayout1(t: TestContext): string {
  const file = join(temporaryFolder(t), 'x.db')
  const database = new DatabaseSync(file)
  database.exec(`PRAGMA journal_mode = WAL; BEGIN; ${CREATE_HONEY}`)
  for (const column of OUR_COLUMNS) database.exec(`ALTER TABLE honey ADD COLUMN ${column}`)
  database.exec(CREATE_COUNTS)
  for (const [view, key] of [
    ['bad_actors', 'source_ip'],
    ['called_numbers', 'called_number'],
  ]) {
    database.exec(`CREATE INDEX ${view}_by_time ON ${view} (seen_last, ${key});
      CREATE INDEX proven_${view}_by_time ON ${view} (seen_last, ${key}) WHERE best_proof > 0`)
  }
  const counted = `honey_id <= ${COUNTED_UPTO} AND honey_id NOT BETWEEN ${UNCOUNTED[0]} AND ${UNCOUNTED[1]}`
  database.exec(`CREATE INDEX source_ip_index ON honey (source_ip); CREATE INDEX called_number_index ON honey (called_number);
    CREATE INDEX request_user_index ON honey (request_user) WHERE request_user IS NOT NULL;
    WITH RECURSIVE rows (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM rows WHERE id < ${ROWS})
    INSERT INTO honey (event_uuid, event_timestamp, source_ip, called_number, request_user)
      SELECT 'event ' || id, printf('2026-11-22 01:%02d:%02d.%09d', id / 6000, id / 100 % 60, id),
        '198.51.100.' || (id % 7), id % 11, iif(id % 3 = 0, '+' || (id % 5), NULL) FROM rows;
    INSERT INTO bad_actors SELECT source_ip, count(*), min(event_timestamp), max(event_timestamp), 0, NULL, NULL
      FROM honey WHERE ${counted} GROUP BY source_ip;
    INSERT INTO called_numbers SELECT number, count(*), min(at), max(at), 0 FROM
      (SELECT called_number AS number, event_timestamp AS at FROM honey WHERE ${counted} UNION ALL
       SELECT request_user, event_timestamp FROM honey WHERE ${counted} AND request_user IS NOT NULL) GROUP BY number;
    INSERT INTO sentrypeer VALUES ('counted_upto', ${COUNTED_UPTO}), ('node_id', 'the same as ever');
    INSERT INTO uncounted VALUES (${UNCOUNTED[0]}, ${UNCOUNTED[1]});
    PRAGMA user_version = 1; COMMIT`)
  database.close()
  return file
}

function checkUpgraded(file: string, lines: readonly string[]): void {
  const database = openForWriting(file, { sync: 'normal', onProgress: assert.fail })
  const reader = openSqliteReader(file)
  settle(createCatchUp(database))
  const rows = rowsIn(file)
  assert.equal(rows.length, ROWS)
  checkAll(reader, rows, rows, 5_000)
  const left = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'honey'").all()
  assert.deepEqual(
    left.map(({ name }) => name),
    ['credentials_index'],
  )
  assert.equal(
    database.prepare("SELECT value FROM sentrypeer WHERE name = 'node_id'").get()?.['value'],
    'the same as ever',
  )
  assert.equal(database.prepare('PRAGMA integrity_check').get()?.['integrity_check'], 'ok')
  assert.match(lines.join(), /Upgrading .*x\.db.*Upgraded .*x\.db/)
  reader.close()
  database.close()
}

test('a file of layout 1 keeps its rows and counts, and what it had not counted is counted', (t) => {
  const file = fileOfLayout1(t)
  const lines: string[] = []
  openForWriting(file, { sync: 'normal', onProgress: (text) => lines.push(text) }).close()
  checkUpgraded(file, lines)
})

test('an upgrade that ends halfway is gone on with at the next start', (t) => {
  const file = fileOfLayout1(t)
  const database = new DatabaseSync(file)
  const pages = Number(database.prepare('PRAGMA page_count').get()?.['page_count'])
  database.exec(`PRAGMA max_page_count = ${pages + 150}`) // room for the first runs, not for the others
  assert.throws(() => upgradeFrom1(database, file, () => {}), /full/)
  const begun = database.prepare("SELECT from_id FROM views WHERE view = 'events' AND part = 'newest'").get()
  assert.ok(Number(begun?.['from_id']) > 0 && Number(begun?.['from_id']) < COUNTED_UPTO)
  database.close()
  const lines: string[] = []
  openForWriting(file, { sync: 'normal', onProgress: (text) => lines.push(text) }).close()
  checkUpgraded(file, lines)
})

test('a file of this layout whose runs do not say when they begin is read all the same, and goes on with ones that do', (t) => {
  const file = fileOfLayout1(t)
  const open = () => openForWriting(file, { sync: 'normal', onProgress: () => {} })
  const before = open()
  settle(createCatchUp(before))
  before.exec('ALTER TABLE runs DROP COLUMN first_at')
  before.close()
  const database = open()
  const reader = openSqliteReader(file)
  checkAll(reader, rowsIn(file), rowsIn(file), 5_000)
  const times = () => database.prepare('SELECT DISTINCT first_at FROM runs').all().length
  assert.equal(times(), 1)
  const rows = database.prepare("INSERT INTO honey (source_ip, event_timestamp) VALUES ('192.0.2.9', '2026-11-22 01')")
  for (let row = 0; row < CATCH_UP_SIZES.fewRows; row++) rows.run()
  settle(createCatchUp(database))
  assert.equal(times(), 2)
  reader.close()
  database.close()
})
