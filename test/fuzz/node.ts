// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { launchDaemon } from '../daemon-process.ts'
import { waitFor } from '../wait-for.ts'

const STOP_WITHIN_MS = 5_000 // what the documentation promises
const FLAGS = ['-r', '--extensions', '100-104', '--accept-after', '2']

/** A daemon of its own, on loopback, with a database in a temporary folder. */
export interface NodeUnderTest {
  readonly pid: number
  readonly ports: { readonly udp: number; readonly tcp: number }
  isOver(): boolean
  /** Whether it said that something of ours has failed. */
  spokeOfBug(): boolean
  /** What it counts, by the name of the metric without `sentrypeer_`; those of one family are added up. */
  counts(): Promise<Map<string, number>>
  residentMib(): Promise<number>
  /** SIGTERM; what is wrong with the way it ended and with what it left in the database, or null. */
  stop(): Promise<string | null>
}

export async function startNode(): Promise<NodeUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'sentrypeer-fuzz-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const { child, pid, ended, stderr } = await launchDaemon({ flags: FLAGS, api: '127.0.0.1:0', folder })
  const isOver = () => child.exitCode !== null || child.signalCode !== null
  const spokeOfBug = () => /this is a bug|made the program fail/.test(stderr())
  const port = (what: string) =>
    Number(new RegExp(`^Listening for incoming ${what} connections\\.\\.\\. \\S+:(\\d+)`, 'm').exec(stderr())?.[1])
  const isListening = () => ['UDP', 'TCP', 'HTTP'].every((what) => port(what) > 0)
  await waitFor('the node to listen', () => isOver() || isListening(), { withinMs: 30_000, state: stderr })
  assert.ok(!isOver(), stderr())
  let stored = 0

  return {
    pid,
    ports: { udp: port('UDP'), tcp: port('TCP') },
    isOver,
    spokeOfBug,
    async counts() {
      const answer = await fetch(`http://127.0.0.1:${port('HTTP')}/metrics`, { signal: AbortSignal.timeout(30_000) })
      const counts = new Map<string, number>()
      for (const [, name = '', value] of (await answer.text()).matchAll(/^sentrypeer_(\w+)(?:\{.*\})? (\S+)$/gm)) {
        counts.set(name, (counts.get(name) ?? 0) + Number(value))
      }
      stored = counts.get('events_stored_total') ?? 0
      return counts
    },
    async residentMib() {
      const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '')
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024
    },
    async stop() {
      const askedMs = performance.now()
      const killer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS * 4)
      child.kill('SIGTERM')
      const { code, signal } = await ended
      clearTimeout(killer)
      const tookMs = performance.now() - askedMs
      const rows = code === 0 ? rowsIn(join(folder, 'sentrypeer.db')) : 0
      rmSync(folder, { recursive: true, force: true })
      if (code !== 0) return `it ended with ${code ?? signal}: ${stderr().slice(-500)}`
      if (spokeOfBug()) return `it spoke of a bug: ${stderr().slice(-500)}`
      if (rows !== stored) return `${rows} rows in the database, ${stored} stored`
      return tookMs > STOP_WITHIN_MS ? `it took ${tookMs.toFixed(0)} ms to stop` : null
    },
  }
}

function rowsIn(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true })
  const row = database.prepare('SELECT count(*) AS rows FROM honey').get()
  database.close()
  return Number(row?.['rows'])
}
