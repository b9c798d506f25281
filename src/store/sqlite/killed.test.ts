// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { start } from '../../../test/run.ts'
import { PROOF_LEVELS } from '../../event/event.ts'
import { CATCH_UP_SIZES, createCatchUp } from './catch-up.ts'
import { add, eventOf, settle, temporaryFolder } from './fixture.ts'
import { checkAll, rowsIn } from './fixture-truth.ts'
import { openForWriting } from './open.ts'
import { openSqliteReader } from './reader.ts'
import { createHoneyTable } from './table.ts'

/*
 * kill -9 while a process appends, folds, merges and deletes, each all the time and in small steps. This file is that
 * process, too, when it is given a database.
 */

const ROUNDS = 5
const BATCH = 40
const SIZES: typeof CATCH_UP_SIZES = {
  ...CATCH_UP_SIZES,
  smallestEntries: 64,
  writtenChunks: 1,
  deletedChunks: 1,
  fewRows: 32,
  manyRows: 256,
  rowsInStep: 32,
  keysInStep: 8,
}

const [, , fileToFill] = process.argv
if (fileToFill === undefined) test('after kill -9 in the middle of folds and merges everything is exact', killed)
else await appendUntilKilled(fileToFill)

async function killed(t: TestContext): Promise<void> {
  const file = join(temporaryFolder(t), 'x.db')
  let foundUnfinished = 0
  for (let round = 0; round < ROUNDS; round++) {
    const { child, stdout, stderr, ended } = await start([process.execPath, import.meta.filename, file])
    // A different moment of the work each time.
    const enough = 20 + 11 * round
    while (stdout().split('\n').length < enough && child.exitCode === null) {
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    child.kill('SIGKILL')
    assert.equal((await ended).signal, 'SIGKILL', stderr())

    const committed = Math.max(...stdout().split('\n').slice(0, -1).map(Number)) // the last line may be cut
    const reader = openSqliteReader(file)
    const rows = rowsIn(file)
    assert.ok(rows.length >= committed, `${rows.length} rows, and ${committed} were committed`)
    checkAll(reader, rows, rows, 100)
    const database = openForWriting(file, { sync: 'normal', onProgress: assert.fail })
    assert.equal(database.prepare('PRAGMA integrity_check').get()?.['integrity_check'], 'ok')
    foundUnfinished += unfinished(database)
    const catchUp = createCatchUp(database, SIZES)
    for (let steps = 0; catchUp.step(true); steps++) if (steps % 50 === 0) checkAll(reader, rows, rows, 100)
    checkAll(reader, rows, rows, 100)
    assert.equal(unfinished(database), 0)
    reader.close()
    database.close()
  }
  assert.ok(foundUnfinished > 0, 'no kill was in the middle of anything')
}

/** Folds and runs that are neither begun nor done. */
function unfinished(database: DatabaseSync): number {
  const views = database.prepare('SELECT count(*) AS found FROM views WHERE from_id < upto_id').get()
  const runs = database.prepare("SELECT count(*) AS found FROM runs WHERE state <> 'visible'").get()
  return Number(views?.['found']) + Number(runs?.['found'])
}

/** Prints how many rows are committed after each batch. */
async function appendUntilKilled(file: string): Promise<void> {
  const database = openForWriting(file, { sync: 'normal', onProgress: () => {} })
  const table = createHoneyTable(database)
  const catchUp = createCatchUp(database, SIZES)
  let rows = Number(database.prepare('SELECT count(*) AS rows FROM honey').get()?.['rows'])
  for (;;) {
    const events = Array.from({ length: BATCH }, (_, index) => {
      const place = rows + index
      return eventOf({
        timestamp: `2026-11-22 01:02:03.${String(place).padStart(9, '0')}`,
        sourceIp: `198.51.100.${(place * 7) % 31}`,
        calledNumber: `${100 + ((place * 13) % 97)}`,
        requestUser: place % 3 === 0 ? `+${place % 53}` : null,
        proof: PROOF_LEVELS[place % 3] ?? 'none',
        proofBy: 'nonce',
      })
    })
    add(table, ...events)
    rows += BATCH
    process.stdout.write(`${rows}\n`)
    catchUp.owe(BATCH)
    if (rows % 2_000 === 0) settle(catchUp)
    await new Promise(setImmediate)
  }
}
