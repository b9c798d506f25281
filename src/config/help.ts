// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { environmentName, type OptionRow } from '../ops/option.ts'
import { isList, SETTINGS } from './settings.ts'

const COLUMNS = 100
const INDENT = 32 // room for nearly all flags with their value; the longest get a line of their own

/** What `sentrypeer --help` prints: the flags in the order of their rows, made from these. At most 100 columns. */
export function helpText(version: string): string {
  const core = SETTINGS.filter(({ section }) => section === 'core')
  const sinks = SETTINGS.filter(({ section }) => section !== 'core')
  return `SentryPeer ${version}, a SIP honeypot: it keeps who tried to call which number.

Usage:
  sentrypeer [FLAGS]               collect, by default passively and into ./sentrypeer.db
  sentrypeer config check [FLAGS]  print the settings that these flags, the environment and the
                                   config file make, and who set them; fail when one is wrong
  sentrypeer purge --before 2026-01-31 [FLAGS]
                                   delete the events of the database from before that time (UTC)
  sentrypeer api-key               print a new key for the REST API

Flags:
${core.map(({ row }) => entry(row)).join('')}
Where events go besides the database:
${sinks.map(({ row }) => entry(row)).join('')}
Other:
${aligned('  -h, --help', ['Print this and exit'])}${aligned('  -V, --version', ['Print the version and exit'])}
Short flags may be joined (-draps). A flag wins over its environment variable, that over the config
file, that over the default. A switch is on when its variable is set at all, even to 0 or nothing.
In the config file (TOML) a setting has the name of its long flag with _ for -: api_listen = "…".

docs/configuration.md explains every setting, docs/errors.md every error.
`
}

function entry(row: OptionRow): string {
  const short = row.short === undefined ? '    ' : `-${row.short}, `
  const value = row.placeholder === undefined ? '' : ` ${row.placeholder}`
  const notes = `[${[environmentName(row), standard(row)].filter((note) => note !== null).join('; ')}]`
  return aligned(`  ${short}--${row.long}${value}`, [...wrapped(row.help), ...wrapped(notes)])
}

function standard(row: OptionRow): string | null {
  if (row.kind === 'switch' || row.default === null || row.default === '') return null
  if (isList(row)) return row.default.length === 0 ? null : `default ${row.default.join(',')}`
  return `default ${row.default}`
}

function aligned(flags: string, lines: readonly string[]): string {
  const [first = '', ...rest] = lines
  const head = flags.length > INDENT - 2 ? `${flags}\n${' '.repeat(INDENT)}` : flags.padEnd(INDENT)
  return `${[head + first, ...rest.map((line) => ' '.repeat(INDENT) + line)].join('\n')}\n`
}

function wrapped(text: string): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line === undefined || INDENT + line.length + 1 + word.length > COLUMNS) lines.push(word)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return lines
}
