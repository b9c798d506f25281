// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { isAbsolute, join } from 'node:path'
import { parseEndpoint } from '../net/ip.ts'
import { errorCode, OperatorError, reason } from '../ops/errors.ts'
import { requireKeyBeyondLoopback } from '../ops/loopback.ts'
import type { OptionValues } from '../ops/option.ts'
import type { SINKS } from '../sinks/all.ts'
import { readConfigFile } from './config-file.ts'
import { type Environment, misspelled, readEnvironment } from './environment.ts'
import { readFlags } from './flags.ts'
import type { OPTIONS } from './options.ts'
import { checkCompanions, withImplied } from './relations.ts'
import { SETTINGS, type SettingValue, type SinkName, type Source, sinkNames } from './settings.ts'

/** Every setting with its checked value, frozen to the bottom. */
export interface Config {
  readonly core: OptionValues<typeof OPTIONS>
  readonly sinks: { readonly [Name in SinkName]: OptionValues<(typeof SINKS)[Name]['options']> }
  /** By long flag, who set it: `default`, `flag -f`, `SENTRYPEER_DB_FILE` or `sentrypeer.toml:3`. */
  readonly origins: Readonly<Record<string, string>>
  /** What is odd but does no harm, one line each, for the operator to hear at start. */
  readonly warnings: readonly string[]
}

/** Where settings come from, handed in by `main.ts`. */
export interface ConfigInputs {
  /** The command line without the program and the subcommand. */
  readonly argv: readonly string[]
  readonly env: Environment
  readonly homeDir: string
  /** The bytes of a file; throws what `fs.readFileSync` throws. */
  readonly readFile: (path: string) => Uint8Array
}

/**
 * Collects, checks and freezes all settings: a flag wins over the environment, that over the config file, that over
 * the default. Everything given is checked, also what another source overrules. Throws an OperatorError: USAGE for
 * the command line, API_NEEDS_KEY for an API open to everyone, CONFIG_INVALID or CONFIG_UNREADABLE for the rest.
 */
export function loadConfig({ argv, env, homeDir, readFile }: ConfigInputs): Config {
  const flags = readFlags(argv)
  const environment = readEnvironment(env)
  const named = (flags.get('config') ?? environment.get('config'))?.value
  const file = typeof named === 'string' ? named : standardFile(env, homeDir, readFile)
  const settings = file === null ? new Map() : readConfigFile(file, bytesOf(file, readFile))
  const given = merged([flags, environment, settings].map(withImplied))
  const warnings = [...checkCompanions(given), ...misspelled(env)]
  const config = frozen(given, file, warnings)
  checkReach(config)
  return config
}

function checkReach({ core }: Config): void {
  const host = parseEndpoint(core.apiListen)?.host ?? core.apiListen
  if (core.api) requireKeyBeyondLoopback(host, core.apiKeys, core.apiAllowAnonymous)
}

function merged(sources: readonly Source[]): Source {
  return new Map(sources.toReversed().flatMap((source) => [...source]))
}

/** `default-config.toml` of the user, null when there is none. */
function standardFile(env: Environment, homeDir: string, readFile: ConfigInputs['readFile']): string | null {
  const xdg = env['XDG_CONFIG_HOME'] ?? ''
  const folder = isAbsolute(xdg) ? xdg : join(homeDir, '.config') // XDG Base Directory: a relative path is ignored
  const path = join(folder, 'sentrypeer', 'default-config.toml')
  try {
    readFile(path)
    return path
  } catch (error) {
    const code = errorCode(error)
    return code === 'ENOENT' || code === 'ENOTDIR' ? null : path // bytesOf says what is wrong with it
  }
}

function bytesOf(path: string, readFile: ConfigInputs['readFile']): Uint8Array {
  try {
    return readFile(path)
  } catch (cause) {
    const hint = 'Check that the file exists and that this user may read it.'
    throw new OperatorError('CONFIG_UNREADABLE', `cannot read the config file ${path}: ${reason(cause)}`, hint, cause)
  }
}

function frozen(given: Source, file: string | null, warnings: readonly string[]): Config {
  const valuesOf = (section: string) => {
    const values: Record<string, SettingValue | null> = {}
    for (const { name, row } of SETTINGS.filter((setting) => setting.section === section)) {
      const value = row.long === 'config' ? file : (given.get(row.long)?.value ?? row.default)
      values[name] = Array.isArray(value) ? Object.freeze([...value]) : value
    }
    return Object.freeze(values)
  }
  const origins = SETTINGS.map(({ row }) => [row.long, given.get(row.long)?.origin ?? 'default'])
  const sinks = sinkNames().map((name) => [name, valuesOf(name)])
  const config = {
    core: valuesOf('core'),
    sinks: Object.freeze(Object.fromEntries(sinks)),
    origins: Object.freeze(Object.fromEntries(origins)),
    warnings: Object.freeze([...warnings]),
  }
  // The loops above go over the same rows as the types do, and checkTexts and checkToml made the values fit them.
  return Object.freeze(config) as unknown as Config
}
