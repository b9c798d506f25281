// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { execFile, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { eventOf } from '../src/store/sqlite/fixture.ts'
import { openForWriting } from '../src/store/sqlite/open.ts'
import { cellsOf, createHoneyTable } from '../src/store/sqlite/table.ts'
import type { Figure } from './figure.ts'

const run = promisify(execFile)
const NUMBERS = 50_000

interface Answers {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Lookups a second and their 99th percentile over eight connections, beside a bare handler; a database of `events`. */
export async function measureLookups(rounds: number, seconds: number, events: number): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sentrypeer-bench-'))
  const file = join(folder, 'x.db')
  fill(file, events)
  const flags = ['-R', '-a', '--api-listen', '127.0.0.1:0', '-f', file]
  const node = spawn(process.execPath, [join(import.meta.dirname, '../bin/sentrypeer'), ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const floor = fork(join(import.meta.dirname, 'bare-handler.ts'), { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  try {
    let port = ''
    for await (const line of createInterface({ input: node.stderr })) {
      port = /HTTP connections\.\.\. 127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? ''
      if (port !== '') break
    }
    const [floorLine] = await once(floor.stdout ?? floor, 'data')
    const floorPort = String(floorLine).trim()
    const ask = async (target: string, path: string): Promise<Answers> => {
      const script = join(import.meta.dirname, 'request-lookups.ts')
      return JSON.parse(
        (await run(process.execPath, [script, target, String(seconds), path, String(Math.min(NUMBERS, events))]))
          .stdout,
      )
    }
    const figures: Figure[] = []
    for (const path of ['/numbers/%d', '/ip-addresses/198.18.0.1']) {
      const pairs: { ours: Answers; bare: Answers }[] = []
      for (let round = 0; round < rounds; round++)
        pairs.push({ ours: await ask(port, path), bare: await ask(floorPort, path) })
      const of = (pick: (answers: Answers) => number, name: string, unit: string): Figure => ({
        name: `${name} ${path.replace('%d', '{n}')}, ${events} events, 8 connections`,
        unit,
        rounds: pairs.map(({ ours }) => pick(ours)),
        floor: { name: 'bare node:http handler', rounds: pairs.map(({ bare }) => pick(bare)) },
      })
      figures.push(
        of(({ perSecond }) => perSecond, 'GET', 'requests/s'),
        of(({ p99Ms }) => p99Ms, 'p99 of GET', 'ms'),
      )
    }
    return figures
  } finally {
    node.kill()
    floor.disconnect()
    await Promise.all([once(node, 'exit'), once(floor, 'exit')])
    rmSync(folder, { recursive: true })
  }
}

function fill(file: string, events: number): void {
  const database = openForWriting(file, { sync: 'normal', onProgress: () => {} })
  const table = createHoneyTable(database)
  for (let from = 0; from < events; from += 1_000) {
    const batch = Array.from({ length: 1_000 }, (_, index) =>
      eventOf({
        sourceIp: `198.18.${((from + index) >> 8) % 20}.${(from + index) & 255}`,
        calledNumber: String((from + index) % NUMBERS),
      }),
    )
    table.append(cellsOf(batch))
  }
  database.close()
}
