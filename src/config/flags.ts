// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { parseArgs } from 'node:util'
import { OperatorError } from '../ops/errors.ts'
import { shown } from '../ops/escape.ts'
import { nearest } from './nearest.ts'
import { type Given, isList, SETTINGS, type Setting, type Source } from './settings.ts'
import { checkTexts } from './values.ts'

const HELP_HINT = '"sentrypeer --help" lists every flag.'

/** Does the command line ask for `--help` or `--version`? Asked before anything on it is checked. */
export function requestedText(argv: readonly string[]): 'help' | 'version' | null {
  for (const token of tokensOf(argv)) {
    if (token.kind !== 'option') continue
    if (token.rawName === '-h' || token.rawName === '--help') return 'help'
    if (token.rawName === '-V' || token.rawName === '--version') return 'version'
  }
  return null
}

/**
 * Reads flags: `-draps`, `-ffile`, `-f file`, `--db-file file`, `--db-file=file`. Of a repeated flag the last one
 * counts, or all of them where the setting is a list. Throws a USAGE error for what it does not know.
 */
export function readFlags(argv: readonly string[]): Source {
  const source = new Map<string, Given>()
  const texts = new Map<string, string[]>()
  for (const token of tokensOf(argv)) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') throw usage(`there is no use for the argument "${shown(token.value, 80)}"`)
    const { row } = settingOf(token.rawName)
    const origin = `flag ${token.rawName}`
    if (row.kind === 'switch') {
      if (token.value !== undefined) throw usage(`${token.rawName} is a switch and takes no value`)
      source.set(row.long, { value: true, origin, flag: token.rawName })
      continue
    }
    const text = flagValue(token)
    const given = isList(row) ? [...(texts.get(row.long) ?? []), text] : [text]
    texts.set(row.long, given)
    const checked = checkTexts(row, given)
    if (checked.kind === 'fault') {
      const hint = `For example: ${token.rawName} ${checked.example}. ${HELP_HINT}`
      throw new OperatorError('USAGE', `${token.rawName} must ${checked.must}${checked.not}`, hint)
    }
    source.set(row.long, { value: checked.value, origin, flag: token.rawName })
  }
  return source
}

/** A mistake on the command line, with the hint that belongs to all of them. */
export function usage(message: string, hint = ''): OperatorError {
  return new OperatorError('USAGE', message, hint === '' ? HELP_HINT : `${hint} ${HELP_HINT}`)
}

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number]

// parseArgs takes the arguments apart but does not judge them (strict: false): its own messages name neither the
// flag as it was typed nor what to do.
function tokensOf(argv: readonly string[]): Token[] {
  const options = Object.fromEntries(
    SETTINGS.map(({ row }) => {
      const type = row.kind === 'switch' ? 'boolean' : 'string'
      return [row.long, row.short === undefined ? { type } : { type, short: row.short }] as const
    }),
  )
  const { tokens } = parseArgs({
    args: [...argv],
    options: { ...options, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'V' } },
    strict: false,
    tokens: true,
  })
  return tokens
}

function settingOf(rawName: string): Setting {
  const setting = SETTINGS.find(({ row }) => rawName === `--${row.long}` || rawName === `-${row.short}`)
  if (setting !== undefined) return setting
  const known = rawName.startsWith('--') ? SETTINGS.map(({ row }) => row.long) : []
  const meant = nearest(rawName.slice(2), known)
  throw usage(`there is no flag ${shown(rawName, 80)}`, meant === null ? '' : `Did you mean --${meant}?`)
}

function flagValue({ rawName, value, inlineValue }: Extract<Token, { kind: 'option' }>): string {
  if (value === undefined) throw usage(`${rawName} needs a value`)
  // `-f -j` is a forgotten file far more often than a file called "-j".
  if (!inlineValue && value.length > 1 && value.startsWith('-')) {
    const attached = rawName.startsWith('--') ? `${rawName}=-…` : `${rawName}-…`
    throw usage(`${rawName} needs a value`, `A value that begins with a dash is written attached: ${attached}`)
  }
  return value
}
