// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Rounds } from './figure.ts'
import { fill } from './fill.ts'
import type { Load } from './load.ts'
import { type Package, stagePackage } from './package.ts'
import { type Node, type NodeOptions, startNode } from './processes.ts'

/** What all measurements work with. */
export interface Workbench {
  readonly load: Load
  readonly isQuick: boolean
  /** How often everything is measured. */
  readonly rounds: number
  /** How long a steady load lasts. */
  readonly seconds: number
  /** For the person who waits. */
  say(text: string): void
  /** A folder that goes with the run. */
  newFolder(): string
  /** A database with so many events, made once; whoever adds to it leaves more for the next. */
  filled(events: number): Promise<string>
  /** The package as it is published, made once. */
  packaged(): Promise<Package>
  /** Starts a node, measures, and stops it whatever happens. */
  withNode<T>(options: Partial<NodeOptions>, measure: (node: Node) => Promise<T>): Promise<T>
}

export function createWorkbench(load: Load, isQuick: boolean, say: (text: string) => void): Workbench {
  const root = mkdtempSync(join(tmpdir(), 'sentrypeer-bench-'))
  process.once('exit', () => rmSync(root, { recursive: true, force: true }))
  const databases = new Map<number, string>()
  let folders = 0
  let staged: Promise<Package> | null = null
  const newFolder = () => mkdtempSync(join(root, `${folders++}-`))
  return {
    load,
    isQuick,
    rounds: isQuick ? 1 : 3,
    seconds: isQuick ? 1 : 5,
    say,
    newFolder,
    async filled(events) {
      const known = databases.get(events)
      if (known !== undefined) return known
      const file = join(newFolder(), 'x.db')
      say(`filling a database with ${events} events`)
      await fill(file, events)
      databases.set(events, file)
      return file
    },
    packaged: () => (staged ??= stagePackage(newFolder())),
    async withNode(options, measure) {
      const folder = options.folder ?? newFolder()
      const node = await startNode({ ...options, folder })
      try {
        return await measure(node)
      } finally {
        await node.stop()
        if (options.folder === undefined) rmSync(folder, { recursive: true })
      }
    },
  }
}

/** Measures ours and the floor in turns, so that both see the same machine. */
export async function inTurns<T>(
  rounds: number,
  ours: () => Promise<T> | T,
  floor: () => Promise<T> | T,
): Promise<{ readonly ours: readonly T[]; readonly floor: readonly T[] }> {
  const measured: { ours: T[]; floor: T[] } = { ours: [], floor: [] }
  for (let round = 0; round < rounds; round++) {
    measured.ours.push(await ours())
    measured.floor.push(await floor())
  }
  return measured
}

/** The medians and 99th percentiles of rounds that give both. */
export function timesOf(rounds: readonly { readonly p50Ms: number; readonly p99Ms: number }[]): Rounds {
  return { values: rounds.map(({ p50Ms }) => p50Ms), p99: rounds.map(({ p99Ms }) => p99Ms) }
}

export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
