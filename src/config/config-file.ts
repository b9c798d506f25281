// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { parse, TomlError } from 'smol-toml'
import { OperatorError, reason } from '../ops/errors.ts'
import { shown } from '../ops/escape.ts'
import { tomlKey } from '../ops/option.ts'
import { nearest } from './nearest.ts'
import { type Given, SETTINGS, type Setting, type Source } from './settings.ts'
import { pathKey, tomlLines } from './toml-lines.ts'
import { checkToml } from './values.ts'

/** Keys that settings have besides their own: what files of the older program say at top level. */
export const OLD_TOML_KEYS: ReadonlyMap<string, string> = new Map([
  ['cert', 'tls_cert'],
  ['key', 'tls_key'],
  ['tls_listen_address', 'tls_listen'],
])

const MAX_DEPTH = 16 // chosen: no setting is more than three tables deep

/**
 * Reads a TOML file. The names of tables and keys are joined with `_`: `[api] listen = …` is `api_listen = …`; the
 * switch itself is `api = true` or `[api] enabled = true`. Throws for anything that is no setting, with its line.
 */
export function readConfigFile(path: string, bytes: Uint8Array): Source {
  const text = decoded(path, bytes)
  const document = parsed(path, text)
  const lines = tomlLines(text)
  const source = new Map<string, Given>()
  for (const { keys, value } of leavesOf(document, [])) {
    const origin = `${path}:${lines.get(pathKey(keys)) ?? 1}`
    const setting = settingOf(keys) ?? unknownKey(origin, keys)
    const before = source.get(setting.row.long)
    if (before !== undefined) {
      throw invalid(
        `${origin}: ${tomlKey(setting.row)} is set already at ${before.origin}`,
        'Leave one of the two out.',
      )
    }
    source.set(setting.row.long, { value: tomlValue(setting, origin, value), origin, flag: null })
  }
  return source
}

interface Leaf {
  readonly keys: readonly string[]
  readonly value: unknown
}

function decoded(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw invalid(`${path} is not UTF-8 text`, 'Save the file as UTF-8.', cause)
  }
}

function parsed(path: string, text: string): object {
  try {
    return parse(text, { maxDepth: MAX_DEPTH })
  } catch (cause) {
    const place = cause instanceof TomlError ? `${path}:${cause.line}:${cause.column}` : path
    const message =
      reason(cause)
        .replace(/^Invalid TOML document: /, '')
        .split('\n', 1)[0] ?? ''
    throw invalid(
      `${place}: ${message}`,
      'A line is written as  name = "text"  or  name = true  (https://toml.io).',
      cause,
    )
  }
}

/** Everything that is not a table. A table without anything in it counts too, unless its name begins some setting's. */
function leavesOf(table: object, above: readonly string[]): Leaf[] {
  return Object.entries(table).flatMap(([key, value]): Leaf[] => {
    const keys = [...above, key]
    if (!isTable(value)) return [{ keys, value }]
    if (Object.keys(value).length > 0) return leavesOf(value, keys)
    return knownKeys().some((known) => known.startsWith(keys.join('_'))) ? [] : [{ keys, value }]
  })
}

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function settingOf(keys: readonly string[]): Setting | undefined {
  const joined = keys.join('_')
  const name = OLD_TOML_KEYS.get(joined) ?? joined
  const table = keys.at(-1) === 'enabled' ? keys.slice(0, -1).join('_') : null
  return SETTINGS.find(({ row }) => tomlKey(row) === name || (row.kind === 'switch' && tomlKey(row) === table))
}

function unknownKey(origin: string, keys: readonly string[]): never {
  const typed = keys.join('_')
  const meant = nearest(typed.replaceAll('-', '_'), knownKeys())
  const hint = meant === null ? 'docs/configuration.md lists every setting.' : `Did you mean ${meant}?`
  throw invalid(`${origin}: there is no setting ${shown(typed, 80)}`, hint)
}

function knownKeys(): string[] {
  return SETTINGS.map(({ row }) => tomlKey(row))
}

function tomlValue({ row }: Setting, origin: string, value: unknown): Given['value'] {
  const key = tomlKey(row)
  if (row.long === 'config') throw invalid(`${origin}: a config file cannot name another one`, 'Leave the line out.')
  const checked = checkToml(row, value)
  if (checked.kind === 'value') return checked.value
  const bare = row.kind === 'switch' || row.kind === 'count'
  const example = bare ? checked.example : JSON.stringify(checked.example)
  throw invalid(`${origin}: ${key} must ${checked.must}${checked.not}`, `For example: ${key} = ${example}`)
}

function invalid(message: string, hint: string, cause?: unknown): OperatorError {
  return new OperatorError('CONFIG_INVALID', message, hint, cause)
}
