// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { BadActorEvent } from '../src/event/event.ts'
import { createCatchUp } from '../src/store/sqlite/catch-up.ts'
import { batchOf, eventOf } from '../src/store/sqlite/fixture.ts'
import { openForWriting } from '../src/store/sqlite/open.ts'
import { createHoneyTable } from '../src/store/sqlite/table.ts'
import type { Figure } from './figure.ts'
import { inTurns, type Workbench } from './workbench.ts'

const BATCH = 1_000

/** Rows a second through the writer's table, with what keeps the views in step; the floor inserts the same rows with nothing else. */
export async function measureStore(bench: Workbench): Promise<Figure> {
  const rows = bench.isQuick ? 50_000 : 500_000
  const inFolder = (work: (file: string) => number) => {
    const folder = bench.newFolder()
    const elapsedMs = work(join(folder, 'x.db'))
    rmSync(folder, { recursive: true })
    return (rows * 1000) / elapsedMs
  }
  const measured = await inTurns(
    bench.rounds,
    () => inFolder((file) => throughOurTable(file, rows)),
    () => inFolder((file) => intoPlainTable(file, rows)),
  )
  return {
    name: `store ${rows} events, with the views in step, every number a new one, batches of ${BATCH}`,
    unit: 'rows/s',
    goal: null,
    ours: { values: measured.ours },
    floor: { name: 'plain SQLite inserts of five columns', values: measured.floor },
    events: rows,
  }
}

function throughOurTable(file: string, rows: number): number {
  const database = openForWriting(file, { sync: 'normal', onProgress: () => {} })
  const table = createHoneyTable(database)
  const catchUp = createCatchUp(database)
  const elapsedMs = timed(rows, (batch) => {
    table.append(batchOf(...batch))
    catchUp.owe(batch.length)
  })
  const startMs = performance.now()
  while (catchUp.step(true)); // a short run would leave most of the work for later
  const settledMs = performance.now() - startMs
  database.close()
  return elapsedMs + settledMs
}

function intoPlainTable(file: string, rows: number): number {
  const database = new DatabaseSync(file)
  database.exec(
    'PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE plain (a,b,c,d,e)',
  )
  const insert = database.prepare('INSERT INTO plain VALUES (?, ?, ?, ?, ?)')
  const elapsedMs = timed(rows, (batch) => {
    database.exec('BEGIN')
    for (const { timestamp, eventUuid, sourceIp, calledNumber, sipMessage } of batch)
      insert.run(timestamp, eventUuid, sourceIp, calledNumber, sipMessage)
    database.exec('COMMIT')
  })
  database.close()
  return elapsedMs
}

/** Milliseconds for the batches alone, without the making of them. */
function timed(rows: number, write: (batch: readonly BadActorEvent[]) => void): number {
  let elapsedMs = 0
  for (let from = 0; from < rows; from += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, index) =>
      eventOf({
        sourceIp: `198.51.${(from / BATCH) % 100}.${index % 200}`,
        calledNumber: `00${46_500_000_000 + from + index}`,
      }),
    )
    const startMs = performance.now()
    write(batch)
    elapsedMs += performance.now() - startMs
  }
  return elapsedMs
}
