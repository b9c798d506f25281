// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Figure } from './figure.ts'
import { type NodeOptions, type Receiver, script, startFloor, startNode } from './processes.ts'
import { inTurns, type Workbench } from './workbench.ts'
import { curveOf, type Found, highestRate, type Search } from './zero-loss.ts'

export type Mode = 'passive' | 'responsive'

const UNIT = 'events/s without loss'
// Chosen near what a small machine takes, so that few steps are needed.
const FIRST_RATE = { passive: 40_000, responsive: 24_000 }
const FIRST_RATE_OF_FLOOR = { passive: 150_000, responsive: 90_000 }
const GOALS = {
  passive: '≥ 0.6 of the C floor',
  responsive: '≥ 0.5 of the C floor with replies',
}

const GOALS_OF_DGRAM = { passive: '≥ 60,000', responsive: '≥ 30,000' }

/**
 * UDP ingest: every datagram a committed row with its aggregates, and on an answering node answered after the commit.
 * `dgram`: where the C library's calls for many datagrams cannot be had.
 */
export async function measureIngest(bench: Workbench, mode: Mode, receive: 'auto' | 'dgram' = 'auto'): Promise<Figure> {
  const floor = floorOf(bench, mode)
  const flags = receive === 'auto' ? [] : ['--udp-receive', receive]
  const measured = await inTurns(
    bench.rounds,
    () =>
      highestRate(
        bench.load,
        () => freshNode(bench, mode, { flags }),
        searchOf(bench, mode, FIRST_RATE[mode]),
        bench.say,
      ),
    () => highestRate(bench.load, floor.start, searchOf(bench, mode, FIRST_RATE_OF_FLOOR[mode]), bench.say),
  )
  return {
    name: `UDP ingest${receive === 'auto' ? '' : ` by node:${receive}`}, ${mode}, 4,096 sources, ${eventsOf(bench)} events at the rate found`,
    unit: UNIT,
    goal: receive === 'auto' ? GOALS[mode] : GOALS_OF_DGRAM[mode],
    ours: { values: measured.ours.map(({ perSecond }) => perSecond) },
    floor: { name: floor.name, values: measured.floor.map(({ perSecond }) => perSecond) },
    curves:
      receive === 'auto' ? [curveOf(`SentryPeer, ${mode}`, measured.ours), curveOf(floor.name, measured.floor)] : [],
    note: endText(measured.ours),
  }
}

/**
 * The same, passive, where a database is there already; its floor is an empty one. A quick run takes `emptyRates`, which
 * it has measured some moments before.
 */
export async function measureFilledIngest(bench: Workbench, emptyRates: readonly number[] | null): Promise<Figure> {
  const events = bench.isQuick ? 1_000_000 : 10_000_000
  const file = await bench.filled(events)
  const search = searchOf(bench, 'passive', FIRST_RATE.passive)
  const measured = await inTurns(
    bench.rounds,
    () => highestRate(bench.load, () => freshNode(bench, 'passive', { file }), search, bench.say),
    async () => {
      if (emptyRates !== null) return null
      return highestRate(bench.load, () => freshNode(bench, 'passive'), search, bench.say)
    },
  )
  const found = measured.ours.filter((one) => one !== null)
  return {
    name: `UDP ingest, passive, into a database with ${events} events`,
    unit: UNIT,
    goal: '≥ 0.6 of an empty database',
    ours: { values: found.map(({ perSecond }) => perSecond) },
    floor: { name: 'the same, empty database', values: emptyRates ?? measured.floor.map((one) => one?.perSecond ?? 0) },
    note: endText(found),
  }
}

/** The floor that does what a node must do at least. */
export function floorOf({ load, newFolder }: Workbench, mode: Mode): { name: string; start: () => Promise<Receiver> } {
  const { program } = load
  const replies = mode === 'responsive' ? ['--replies'] : []
  const inWords = mode === 'responsive' ? ', with replies' : ''
  if (program === null) {
    return { name: 'receive-only socket in Node', start: () => startFloor(script('receive-only.ts'), 'received') }
  }
  if (!program.hasSqlite) {
    const start = () => startFloor([program.path, 'sink', ...replies], 'received')
    return { name: `C, receives and counts${inWords} (no sqlite3.h: no floor that stores)`, start }
  }
  const start = async () => {
    const folder = newFolder()
    const command = [program.path, 'store', '--file', join(folder, 'x.db'), ...replies]
    return thenRemove(folder, await startFloor(command, 'stored'))
  }
  return { name: `C, one plain SQLite table${inWords}`, start }
}

async function freshNode(
  bench: Workbench,
  mode: Mode,
  { flags = [], ...options }: Omit<NodeOptions, 'folder'> = {},
): Promise<Receiver> {
  const folder = bench.newFolder()
  return thenRemove(folder, await startNode({ folder, flags: [...nodeFlags(mode), ...flags], ...options }))
}

/** A long search starts many receivers, each with a database of up to a GB. */
function thenRemove(folder: string, receiver: Receiver): Receiver {
  const stop = async () => {
    await receiver.stop()
    rmSync(folder, { recursive: true })
  }
  return { ...receiver, stop }
}

/** One persona, so that its answers are as long in every run. */
export function nodeFlags(mode: Mode): readonly string[] {
  return mode === 'responsive' ? ['-r', '--persona', 'asterisk'] : []
}

function searchOf(bench: Workbench, mode: Mode, fromRate: number): Search {
  const replies = mode === 'responsive' && bench.load.program !== null
  return bench.isQuick
    ? { fromRate, stepS: 0.7, within: 0.2, confirmedBy: eventsOf(bench), beyond: [2], replies }
    : { fromRate, stepS: 2, within: 0.06, confirmedBy: eventsOf(bench), beyond: [1.25, 1.6, 2.5], replies }
}

function eventsOf({ isQuick }: Workbench): number {
  return isQuick ? 100_000 : 1_000_000
}

function endText(found: readonly Found[]): string {
  const steps = found.flatMap(({ steps }) => steps)
  const drops = steps.reduce((sum, step) => sum + step.kernelDrops, 0)
  const lost = steps.reduce((sum, step) => sum + Math.max(0, step.sent - step.taken), 0)
  return `${steps.length} steps; beyond the limit ${lost} messages were lost, ${drops} of them in the kernel's buffer`
}
