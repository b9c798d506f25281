// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { OPERATOR_ERROR_CODES } from '../ops/errors.ts'
import { environmentName, type OptionRow, tomlKey } from '../ops/option.ts'
import { OLD_TOML_KEYS } from './config-file.ts'
import { helpText } from './help.ts'
import { loadConfig } from './load.ts'
import { isList, SETTINGS } from './settings.ts'

const DOCS = join(import.meta.dirname, '../../docs')
const configuration = readFileSync(join(DOCS, 'configuration.md'), 'utf8')
const errors = readFileSync(join(DOCS, 'errors.md'), 'utf8')

const code = (text: string) => `\`${text.replaceAll('|', '\\|')}\``

/** The line that docs/configuration.md has for a row. */
function referenceLine(row: OptionRow): string {
  const value = row.placeholder === undefined ? '' : ` ${row.placeholder}`
  const flags = [...(row.short === undefined ? [] : [`-${row.short}${value}`]), `--${row.long}${value}`]
    .map(code)
    .join(' ')
  const key = row.long === 'config' ? 'none' : code(tomlKey(row))
  const variable = environmentName(row)
  const cells = [
    key,
    flags,
    variable === null ? 'none' : code(variable),
    standard(row),
    row.help.replaceAll('|', '\\|'),
  ]
  return `| ${cells.join(' | ')} |`
}

function standard(row: OptionRow): string {
  if (row.kind === 'switch') return 'off'
  const texts = isList(row) ? row.default : row.default === null ? [] : [String(row.default)]
  return texts.length === 0 ? 'none' : texts.map(code).join(' ')
}

const referenceLines = configuration.split('\n').filter((line) => /^\| (`|none \|)/.test(line))

for (const { row } of SETTINGS) {
  test(`docs/configuration.md has the line of --${row.long}, to the letter`, () => {
    const line = referenceLine(row)
    assert(referenceLines.includes(line), `it should be:\n${line}`)
  })
}

test('docs/configuration.md lists the settings in the order of their rows, and nothing else', () => {
  assert.deepEqual(
    referenceLines,
    SETTINGS.map(({ row }) => referenceLine(row)),
  )
})

test('docs/configuration.md names the old TOML keys', () => {
  for (const [old, key] of OLD_TOML_KEYS) {
    assert(configuration.includes(`\`${old}\` for \`${key}\``), `${old} for ${key}`)
  }
})

for (const [, file = ''] of configuration.matchAll(/```toml\n([^`]*)```/g)) {
  const title = file.split('\n')[0]
  test(`the example file that begins with "${title}" loads without a warning`, () => {
    const readFile = () => new TextEncoder().encode(file)
    const config = loadConfig({ argv: ['-g', 'example.toml'], env: {}, homeDir: '/', readFile })
    assert.deepEqual(config.warnings, [])
    assert(Object.values(config.origins).some((origin) => origin.startsWith('example.toml:')))
  })
}

for (const [line] of configuration.matchAll(/^sentrypeer (?!config |api-key).+$/gm)) {
  test(`the example "${line}" is a command line that is understood`, () => {
    const argv = line.replace(/ #.*/, '').split(' ').slice(1)
    loadConfig({ argv, env: {}, homeDir: '/', readFile: () => new Uint8Array() })
  })
}

test('docs/errors.md has a section for each code, in order, and no other', () => {
  const sections = [...errors.matchAll(/^## (\S+)$/gm)].map(([, name]) => name)
  assert.deepEqual(sections, [...OPERATOR_ERROR_CODES])
})

for (const section of errors.split(/^## /m).slice(1)) {
  const [name = ''] = section.split('\n')
  test(`docs/errors.md says what ${name} means and what to do`, () => {
    assert.match(section, /^\*\*Means:\*\* [^\n]{20}/m)
    assert.match(section, /^\*\*Do:\*\* [^\n]{20}/m)
  })
}

const help = helpText('1.2.3')

for (const { row } of SETTINGS) {
  test(`--help says all about --${row.long}`, () => {
    const short = row.short === undefined ? '    ' : `-${row.short}, `
    const flags = `\n  ${short}--${row.long}${row.placeholder === undefined ? '' : ` ${row.placeholder}`}`
    const at = help.indexOf(`${flags} `) === -1 ? help.indexOf(`${flags}\n`) : help.indexOf(`${flags} `)
    assert(at >= 0, flags)
    const words = help.slice(at + flags.length).replaceAll(/\s+/g, ' ')
    const texts = isList(row) ? row.default.join(',') : row.default
    const note = row.kind === 'switch' || texts === null || texts === '' ? '' : `; default ${texts}`
    assert(words.startsWith(` ${row.help} [${environmentName(row)}${note}]`), words.slice(0, 200))
  })
}

test('--help fits 100 columns and names version, subcommands and docs', () => {
  for (const line of help.split('\n')) assert(line.length <= 100, line)
  for (const text of ['1.2.3', 'config check', 'api-key', '-h, --help', '-V, --version', 'docs/configuration.md']) {
    assert(help.includes(text), text)
  }
})
