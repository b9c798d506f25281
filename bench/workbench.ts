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
  /** Rates that this run has found, by what they are of: floors for others, and where the next search begins. */
  readonly knownRates: Map<string, readonly number[]>
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
    seconds: isQuick ? 1 : 3,
    say,
    newFolder,
    knownRates: new Map(),
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
export async function inTurns<T, F = T>(
  rounds: number,
  ours: (round: number) => Promise<T> | T,
  floor: (round: number) => Promise<F> | F,
): Promise<{ readonly ours: readonly T[]; readonly floor: readonly F[] }> {
  const measured: { ours: T[]; floor: F[] } = { ours: [], floor: [] }
  for (let round = 0; round < rounds; round++) {
    measured.ours.push(await ours(round))
    measured.floor.push(await floor(round))
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
