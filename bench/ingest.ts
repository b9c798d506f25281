// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Figure } from './figure.ts'
import { type NodeOptions, type Receiver, script, startFloor, startNode } from './processes.ts'
import { inTurns, type Workbench } from './workbench.ts'
import { curveOf, type Found, highestRate, type Search } from './zero-loss.ts'

export type Mode = 'passive' | 'responsive'

const UNIT = 'events/s without loss'
// Where the first search begins, near what a small machine takes, so that few steps are needed; later ones begin at what
// was found.
const FIRST_RATE = { passive: 50_000, responsive: 24_000 }
const FIRST_RATE_OF_FLOOR = { passive: 200_000, responsive: 180_000 }
const GOALS = {
  passive: '≥ 0.6 of the C floor',
  responsive: '≥ 0.5 of the C floor with replies',
}
const GOALS_OF_DGRAM = { passive: '≥ 60,000', responsive: '≥ 30,000' }

// Chosen: together they keep a quick run below two minutes and a full one near twenty. What is tried beyond the limit
// is for the plot alone: one of these a round.
const QUICK = { stepS: 0.5, within: 0.25, mostLongRuns: 6, isThorough: false, warmUp: 15_000 }
const FULL = { stepS: 1.5, within: 0.08, mostLongRuns: 6, isThorough: true, warmUp: 30_000 }
const BEYOND = { quick: [2], full: [1.25, 1.6, 2.5] }
const CONFIRMED_BY = { quick: 50_000, full: 400_000, fullBesides: 200_000 }

/**
 * UDP ingest: every datagram a committed row with its aggregates, and on an answering node answered after the commit.
 * `dgram`: where the C library's calls for many datagrams cannot be had; its floor is the one that the same run has
 * measured for the other way, if it did.
 */
export async function measureIngest(bench: Workbench, mode: Mode, receive: 'auto' | 'dgram' = 'auto'): Promise<Figure> {
  const floor = floorOf(bench, mode)
  const flags = receive === 'auto' ? [] : ['--udp-receive', receive]
  const isMain = receive === 'auto'
  const events = eventsOf(bench, isMain)
  const known = isMain ? undefined : bench.knownRates.get(floor.name)
  const ours = searchOf(bench, mode, { begins: [mode + receive, mode], first: FIRST_RATE[mode], events, isMain })
  const under = searchOf(bench, mode, {
    begins: [floor.name],
    first: FIRST_RATE_OF_FLOOR[mode],
    events,
    isMain,
    warmUp: 0,
  })
  const measured = await inTurns(
    bench.rounds,
    (round) => ours(round, () => freshNode(bench, mode, { flags })),
    (round) => (known === undefined ? under(round, floor.start) : null),
  )
  const underlying = measured.floor.filter((found) => found !== null)
  const rates = measured.ours.map(({ perSecond }) => perSecond)
  const floorRates = known ?? underlying.map(({ perSecond }) => perSecond)
  if (isMain) bench.knownRates.set(mode, rates).set(floor.name, floorRates)
  return {
    name: `UDP ingest${isMain ? '' : ` by node:${receive}`}, ${mode}, 4,096 sources, ${events} events at the rate found`,
    unit: UNIT,
    goal: isMain ? GOALS[mode] : GOALS_OF_DGRAM[mode],
    ours: { values: rates },
    floor: { name: floor.name, values: floorRates },
    events,
    curves: isMain ? [curveOf(`SentryPeer, ${mode}`, measured.ours), curveOf(floor.name, underlying)] : [],
    note: endText(measured.ours),
  }
}

/**
 * The same, passive, where a database is there already, which grows from round to round; its floor is an empty one. A
 * quick run takes the rate that it has measured some moments before, if it did.
 */
export async function measureFilledIngest(bench: Workbench): Promise<Figure> {
  const rows = bench.isQuick ? 1_000_000 : 10_000_000
  const file = await bench.filled(rows)
  const events = eventsOf(bench, false)
  const known = bench.isQuick ? bench.knownRates.get('passive') : undefined
  const searching = { first: FIRST_RATE.passive, events, isMain: false }
  const ours = searchOf(bench, 'passive', { ...searching, begins: ['filled', 'passive'] })
  const empty = searchOf(bench, 'passive', { ...searching, begins: ['empty', 'passive'] })
  const measured = await inTurns(
    bench.rounds,
    (round) => ours(round, () => freshNode(bench, 'passive', { file })),
    (round) => (known === undefined ? empty(round, () => freshNode(bench, 'passive')) : null),
  )
  const emptyRates = measured.floor.filter((found) => found !== null).map(({ perSecond }) => perSecond)
  return {
    name: `UDP ingest, passive, into a database with ${rows} events`,
    unit: UNIT,
    goal: '≥ 0.6 of an empty database',
    ours: { values: measured.ours.map(({ perSecond }) => perSecond) },
    floor: { name: 'the same, empty database', values: known ?? emptyRates },
    events,
    note: endText(measured.ours),
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

interface Searching {
  /** Names of rates found earlier, of which the first that is known is where to begin; the new one goes by the first. */
  readonly begins: readonly [string, ...string[]]
  readonly first: number
  readonly events: number
  /** Has a plot too. */
  readonly isMain: boolean
  readonly warmUp?: number
}

/** A search of a round, which begins where the last one has ended. */
function searchOf(bench: Workbench, mode: Mode, { begins, first, events, isMain, warmUp }: Searching) {
  const sizes = bench.isQuick ? QUICK : FULL
  const beyond = bench.isQuick ? BEYOND.quick : BEYOND.full
  const known = () => begins.map((name) => bench.knownRates.get(name)?.at(-1)).find((rate) => (rate ?? 0) > 0)
  return async (round: number, start: () => Promise<Receiver>): Promise<Found> => {
    const search: Search = {
      ...sizes,
      fromRate: Math.round(known() ?? first),
      warmUp: warmUp ?? sizes.warmUp,
      confirmedBy: events,
      beyond: isMain ? beyond.slice(round % beyond.length).slice(0, 1) : [],
      replies: mode === 'responsive' && bench.load.program !== null,
    }
    const found = await highestRate(bench.load, start, search, bench.say)
    bench.knownRates.set(begins[0], [found.perSecond])
    return found
  }
}

function eventsOf({ isQuick }: Workbench, isMain: boolean): number {
  if (isQuick) return CONFIRMED_BY.quick
  return isMain ? CONFIRMED_BY.full : CONFIRMED_BY.fullBesides
}

function endText(found: readonly Found[]): string {
  const steps = found.flatMap(({ steps }) => steps)
  const drops = steps.reduce((sum, step) => sum + step.kernelDrops, 0)
  const lost = steps.reduce((sum, step) => sum + Math.max(0, step.sent - step.taken), 0)
  return `${steps.length} steps; beyond the limit ${lost} messages were lost, ${drops} of them in the kernel's buffer`
}
