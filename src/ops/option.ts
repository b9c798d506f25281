// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

interface Row<Kind extends string, Default> {
  readonly kind: Kind
  /** Long flag without dashes. The environment variable and the TOML key are made from it unless given. */
  readonly long: string
  readonly short?: string
  /** Null: the option has no environment variable of its own. */
  readonly env?: string | null
  readonly default: Default
  /** One line for `--help` and docs/configuration.md. */
  readonly help: string
  /** What stands for the value in `--help`, as in `-f FILE`. */
  readonly placeholder?: string
}

/** One setting, declared next to the feature that it belongs to. */
export type OptionRow =
  | Row<'switch', false>
  | Row<'file', string | null>
  | Row<'text', string | null>
  | Row<'secret', null>
  | Row<'secrets', readonly string[]>
  | Row<'texts', readonly string[]>
  | Row<'url', string | null>
  /** As `durationMs` of duration.ts reads it. */
  | Row<'duration', string | null>
  /** `ADDR:PORT`, `[v6]:PORT` or `HOST:PORT`; several where the kind says so. */
  | Row<'endpoint', string | null>
  | Row<'endpoints', readonly string[]>
  | (Row<'choice', string> & { readonly choices: readonly string[] })
  | (Row<'count', number> & { readonly min: number; readonly max: number })

export type OptionRows = Readonly<Record<string, OptionRow>>

type OptionValue<R extends OptionRow> = R extends { kind: 'switch' }
  ? boolean
  : R extends { kind: 'choice'; choices: readonly (infer Choice)[] }
    ? Choice
    : R extends { kind: 'count' }
      ? number
      : R extends { kind: 'endpoints' | 'secrets' | 'texts' }
        ? readonly string[]
        : R extends { default: string }
          ? string
          : string | null

/** The checked values of a set of rows. */
export type OptionValues<Rows extends OptionRows> = { readonly [Name in keyof Rows]: OptionValue<Rows[Name]> }

/** `SENTRYPEER_` and the long flag in upper snake case, unless the row names another variable or none. */
export function environmentName(row: OptionRow): string | null {
  return row.env === undefined ? `SENTRYPEER_${row.long.toUpperCase().replaceAll('-', '_')}` : row.env
}

/** The key in the TOML file: the long flag in lower snake case. */
export function tomlKey(row: OptionRow): string {
  return row.long.replaceAll('-', '_')
}
