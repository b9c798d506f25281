// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { execFile, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { eventOf } from '../src/store/sqlite/fixture.ts'
import { openForWriting } from '../src/store/sqlite/open.ts'
import { cellsOf, createHoneyTable } from '../src/store/sqlite/table.ts'
import type { Figure } from './figure.ts'

const run = promisify(execFile)
const MAX_LOSS = 0.001
const SETTLE_MS = 5_000

/** What takes datagrams: its port, how many it has taken, and its end. */
interface Receiver {
  readonly port: number
  taken(): Promise<number>
  stop(): Promise<void>
}

/** Datagrams a second that end as committed rows with at most 0.1 % loss; the floor is a socket that only counts. */
export async function measureIngest(rounds: number, seconds: number, mode: 'passive' | 'responsive'): Promise<Figure> {
  const pairs: (readonly [number, number])[] = []
  for (let round = 0; round < rounds; round++) {
    pairs.push([await highestRate(() => startNode(mode), seconds), await highestRate(startFloor, seconds)])
  }
  return {
    name: `UDP ingest, ${mode}, every datagram a committed row with aggregates`,
    unit: 'events/s without loss',
    rounds: pairs.map(([value]) => value),
    floor: { name: 'receive-only socket in Node', rounds: pairs.map(([, value]) => value) },
  }
}

/** Rows a second through the writer's table, batches of 1,000; the floor inserts the same rows with nothing else. */
export function measureStore(rounds: number, rows: number): Figure {
  const batches = Array.from({ length: rows / 1_000 }, (_, batch) =>
    Array.from({ length: 1_000 }, (_, index) =>
      eventOf({
        sourceIp: `198.51.${batch % 100}.${index % 200}`,
        calledNumber: `00${46_500_000_000 + batch * 1_000 + index}`,
      }),
    ),
  )
  const inFolder = (work: (file: string) => number) => {
    const folder = mkdtempSync(join(tmpdir(), 'sentrypeer-bench-'))
    try {
      return work(join(folder, 'x.db'))
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  const perSecond = (work: () => void) => {
    const start = performance.now()
    work()
    return (rows * 1000) / (performance.now() - start)
  }
  const ours = () =>
    inFolder((file) => {
      const database = openForWriting(file, { sync: 'normal', onProgress: () => {} })
      const table = createHoneyTable(database)
      const rate = perSecond(() => {
        for (const batch of batches) table.append(cellsOf(batch))
      })
      database.close()
      return rate
    })
  const floor = () =>
    inFolder((file) => {
      const database = new DatabaseSync(file)
      database.exec(
        'PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE plain (a,b,c,d,e)',
      )
      const insert = database.prepare('INSERT INTO plain VALUES (?, ?, ?, ?, ?)')
      const rate = perSecond(() => {
        for (const batch of batches) {
          database.exec('BEGIN')
          for (const event of batch)
            insert.run(event.timestamp, event.eventUuid, event.sourceIp, event.calledNumber, event.sipMessage)
          database.exec('COMMIT')
        }
      })
      database.close()
      return rate
    })
  const pairs = Array.from({ length: rounds }, () => [ours(), floor()] as const)
  return {
    name: `store ${rows} events with indexes and aggregates, every number a new one, batches of 1,000`,
    unit: 'rows/s',
    rounds: pairs.map(([value]) => value),
    floor: { name: 'plain SQLite inserts of five columns', rounds: pairs.map(([, value]) => value) },
  }
}

/** Doubles the rate until something is lost, then halves the interval four times. */
async function highestRate(start: () => Promise<Receiver>, seconds: number): Promise<number> {
  let good = 0
  let bad = Number.POSITIVE_INFINITY
  for (let step = 0; step < 12; step++) {
    const rate = bad === Number.POSITIVE_INFINITY ? Math.max(8_000, good * 2) : Math.round((good + bad) / 2)
    if (bad - good < Math.max(1_000, good * 0.06)) break
    const achieved = await lossless(start, rate, seconds)
    if (achieved === null) bad = rate
    else if (achieved < rate * 0.9)
      return achieved // the sender is at its own limit
    else good = rate
  }
  return good
}

/** The rate that was really sent when all of it arrived, else null. */
async function lossless(start: () => Promise<Receiver>, rate: number, seconds: number): Promise<number | null> {
  const receiver = await start()
  try {
    const { stdout } = await run(process.execPath, [
      join(import.meta.dirname, 'send-datagrams.ts'),
      ...[receiver.port, rate, seconds].map(String),
    ])
    const { sent, elapsedS } = JSON.parse(stdout) as { sent: number; elapsedS: number }
    const deadline = performance.now() + SETTLE_MS
    let taken = await receiver.taken()
    while (taken < sent && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      taken = await receiver.taken()
    }
    return sent - taken <= sent * MAX_LOSS ? sent / elapsedS : null
  } finally {
    await receiver.stop()
  }
}

async function startNode(mode: 'passive' | 'responsive'): Promise<Receiver> {
  const folder = mkdtempSync(join(tmpdir(), 'sentrypeer-bench-'))
  const flags = [
    '--sip-listen',
    '127.0.0.1:0',
    '-N',
    '-f',
    join(folder, 'x.db'),
    ...(mode === 'responsive' ? ['-r'] : []),
  ]
  const node = spawn(process.execPath, [join(import.meta.dirname, '../bin/sentrypeer'), ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let port = 0
  for await (const line of createInterface({ input: node.stderr })) {
    port = Number(/UDP connections\.\.\. 127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? 0)
    if (port !== 0) break
  }
  node.stderr.resume()
  const database = new DatabaseSync(join(folder, 'x.db'), { readOnly: true })
  const rows = database.prepare('SELECT max(honey_id) AS rows FROM honey')
  return {
    port,
    taken: async () => Number(rows.get()?.['rows'] ?? 0),
    async stop() {
      database.close()
      node.kill()
      await once(node, 'exit')
      rmSync(folder, { recursive: true })
    },
  }
}

async function startFloor(): Promise<Receiver> {
  const child = fork(join(import.meta.dirname, 'receive-only.ts'), { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  const [line] = await once(child.stdout ?? child, 'data')
  return {
    port: Number(String(line)),
    async taken() {
      child.send('count')
      const [count] = await once(child, 'message')
      return Number(count)
    },
    async stop() {
      child.disconnect()
      await once(child, 'exit')
    },
  }
}
