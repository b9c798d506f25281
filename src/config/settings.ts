// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { OptionRow, OptionRows } from '../ops/option.ts'
import { SINKS } from '../sinks/all.ts'
import { OPTIONS } from './options.ts'

export type SinkName = keyof typeof SINKS

/** One row with the place of its value in a `Config`: `core.dbFile`, `sinks.jsonlog.file`. */
export interface Setting {
  readonly section: 'core' | SinkName
  readonly name: string
  readonly row: OptionRow
}

/** A checked value of any kind of row. */
export type SettingValue = boolean | number | string | readonly string[]

/** What one source (flags, environment, file) says about one setting, and where it says it. */
export interface Given {
  readonly value: SettingValue
  /** `flag -f`, `SENTRYPEER_DB_FILE` or `sentrypeer.toml:3`. */
  readonly origin: string
  /** The flag as it was typed, null when it was not a flag that said it. */
  readonly flag: string | null
}

/** What one source says, by long flag. */
export type Source = ReadonlyMap<string, Given>

/** Every setting there is: the rows of `OPTIONS`, then those of each sink; the order of `--help` and the docs. */
export const SETTINGS: readonly Setting[] = [
  ...settingsOf('core', OPTIONS),
  ...sinkNames().flatMap((name) => settingsOf(name, SINKS[name].options)),
]

/** Kinds that hold several values: a flag may be repeated, a variable has commas, TOML may have a list. */
export function isList(row: OptionRow): row is Extract<OptionRow, { default: readonly string[] }> {
  return row.kind === 'endpoints' || row.kind === 'secrets' || row.kind === 'texts'
}

export function isSecret(row: OptionRow): boolean {
  return row.kind === 'secret' || row.kind === 'secrets'
}

export function sinkNames(): SinkName[] {
  return Object.keys(SINKS) as SinkName[] // keys of a constant object: they are exactly its type's keys
}

function settingsOf(section: Setting['section'], rows: OptionRows): Setting[] {
  return Object.entries(rows).map(([name, row]) => ({ section, name, row }))
}
