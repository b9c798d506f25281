// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Ports, startNodeProcess } from '../node-process.ts'

const STOP_WITHIN_MS = 5_000 // what the documentation promises
const FLAGS = ['-r', '--extensions', '100-104', '--accept-after', '2']

/** A daemon of its own, on loopback, with a database in a temporary folder. */
export interface NodeUnderTest {
  readonly pid: number
  readonly ports: Ports
  isOver(): boolean
  /** Whether it said that something of ours has failed. */
  spokeOfBug(): boolean
  /** What it counts, by the name of the metric without `sentrypeer_`; those of one family are added up. */
  counts(): Promise<Map<string, number>>
  residentMib(): number
  /** SIGTERM; what is wrong with the way it ended and with what it left in the database, or null. */
  stop(): Promise<string | null>
}

export async function startNode(): Promise<NodeUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'sentrypeer-fuzz-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const node = await startNodeProcess({ flags: FLAGS, folder })
  const { pid, ports, isOver, spokeOfBug, residentMib } = node
  let stored = 0

  return {
    pid,
    ports,
    isOver,
    spokeOfBug,
    residentMib,
    async counts() {
      const counts = await node.metrics()
      stored = counts.get('events_stored_total') ?? 0
      return counts
    },
    async stop() {
      const { code, signal, stopMs } = await node.stop(STOP_WITHIN_MS * 4)
      const rows = code === 0 ? rowsIn(join(folder, 'sentrypeer.db')) : 0
      rmSync(folder, { recursive: true, force: true })
      if (code !== 0) return `it ended with ${code ?? signal}: ${node.stderr().slice(-500)}`
      if (spokeOfBug()) return `it spoke of a bug: ${node.stderr().slice(-500)}`
      if (rows !== stored) return `${rows} rows in the database, ${stored} stored`
      return stopMs > STOP_WITHIN_MS ? `it took ${stopMs.toFixed(0)} ms to stop` : null
    },
  }
}

function rowsIn(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true })
  const row = database.prepare('SELECT count(*) AS rows FROM honey').get()
  database.close()
  return Number(row?.['rows'])
}
