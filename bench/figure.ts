// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { execFileSync } from 'node:child_process'

/** One measured figure, beside the floor that was measured in the same run. */
export interface Figure {
  readonly name: string
  readonly unit: string
  /** One value a round; more is better for rates, less for times. */
  readonly rounds: readonly number[]
  /** The same of the floor, round by round: the least that any program would have to do. */
  readonly floor: { readonly name: string; readonly rounds: readonly number[] } | null
}

/** Smallest, middle and largest. */
export function spread(values: readonly number[]): { min: number; median: number; max: number } {
  const sorted = values.toSorted((one, other) => one - other)
  const at = (index: number) => sorted[Math.min(sorted.length - 1, Math.max(0, index))] ?? Number.NaN
  return { min: at(0), median: at(Math.floor((sorted.length - 1) / 2)), max: at(sorted.length - 1) }
}

/** One JSON line; the ratio is figure over floor, pair by pair, so that a machine that drifts does not matter. */
export function figureLine({ name, unit, rounds, floor }: Figure): string {
  const rounded = ({ min, median, max }: ReturnType<typeof spread>) => ({
    min: short(min),
    median: short(median),
    max: short(max),
  })
  const ratios = floor === null ? null : rounds.map((value, index) => value / (floor.rounds[index] ?? Number.NaN))
  return JSON.stringify({
    name,
    unit,
    ...rounded(spread(rounds)),
    rounds: rounds.length,
    floor: floor === null ? null : { name: floor.name, ...rounded(spread(floor.rounds)) },
    ratio: ratios === null ? null : rounded(spread(ratios)),
    node: process.version,
    commit: commit(),
    date: new Date().toISOString().slice(0, 10),
  })
}

function short(value: number): number {
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim()
  } catch {
    return 'unknown' // a tarball has no history
  }
}
