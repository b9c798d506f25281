// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** Values of the rounds, in the order in which they were measured. */
export interface Rounds {
  readonly values: readonly number[]
  /** Where the values are medians of a round: its 99th percentiles. */
  readonly p99?: readonly number[]
}

/** How much of what was offered was lost; the points of one line in the plot. */
export interface Curve {
  readonly label: string
  readonly points: readonly { readonly perSecond: number; readonly lostPercent: number }[]
}

/** One measured figure, beside the floor that was measured in the same run. */
export interface Figure {
  readonly name: string
  readonly unit: string
  /** What we want it to be, in words. */
  readonly goal: string | null
  /** More is better for rates, less for times and bytes. */
  readonly ours: Rounds
  /** The least that any program would have to do, round by round; null where there is no such thing. */
  readonly floor: (Rounds & { readonly name: string }) | null
  /** How many one round goes through, or for what is asked of a database, how many lie in it; null where none do. */
  readonly events: number | null
  readonly curves?: readonly Curve[]
  /** What makes this run differ from others, for whoever reads the line. */
  readonly note?: string
}

export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

/** A figure as it is printed. */
export interface FigureLine {
  readonly name: string
  readonly unit: string
  readonly goal: string | null
  /** The median. */
  readonly value: number
  readonly min: number
  readonly median: number
  readonly max: number
  readonly p99: Spread | null
  readonly rounds: number
  /** Events of a round, or of the database; see Figure. */
  readonly events: number | null
  readonly floor: (Spread & { readonly name: string; readonly p99: Spread | null }) | null
  /** Figure over floor, pair by pair, so that a machine that drifts does not matter. */
  readonly ratio: Spread | null
  readonly ratioP99: Spread | null
  readonly curves: readonly Curve[]
  readonly note: string | null
  /** What sent the load. */
  readonly generator: string
  readonly node: string
  readonly commit: string
  readonly date: string
  readonly command: string
}

export type Circumstances = Pick<FigureLine, 'generator' | 'node' | 'commit' | 'date' | 'command'>

export function lineOf(
  { name, unit, goal, ours, floor, events, curves = [], note }: Figure,
  when: Circumstances,
): FigureLine {
  const p99 = ours.p99 === undefined ? null : spread(ours.p99)
  const floorP99 = floor?.p99 === undefined ? null : spread(floor.p99)
  return {
    name,
    unit,
    goal,
    value: spread(ours.values).median,
    ...spread(ours.values),
    p99,
    rounds: ours.values.length,
    events,
    floor: floor === null ? null : { name: floor.name, ...spread(floor.values), p99: floorP99 },
    ratio: floor === null ? null : ratios(ours.values, floor.values),
    ratioP99: ours.p99 === undefined || floor?.p99 === undefined ? null : ratios(ours.p99, floor.p99),
    curves,
    note: note ?? null,
    ...when,
  }
}

function ratios(ours: readonly number[], floor: readonly number[]): Spread | null {
  const known = ours.map((value, round) => value / (floor[round] ?? Number.NaN)).filter(Number.isFinite)
  return known.length === 0 ? null : spread(known)
}

/** Smallest, middle and largest, in as many digits as mean something. */
function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((one, other) => one - other)
  const at = (index: number) => short(sorted[Math.min(sorted.length - 1, Math.max(0, index))] ?? Number.NaN)
  return { min: at(0), median: at(Math.floor((sorted.length - 1) / 2)), max: at(sorted.length - 1) }
}

function short(value: number): number {
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}
