// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createRangeCheck, parseEndpoint, parseIp } from '../net/ip.ts'
import { durationMs } from '../ops/duration.ts'
import { escaped, shown } from '../ops/escape.ts'
import type { OptionRow } from '../ops/option.ts'
import { isList, isSecret, type SettingValue } from './settings.ts'

/** A value that will do, or what it would have to be: `must be ADDR:PORT`. */
export type Checked =
  | { readonly kind: 'value'; readonly value: SettingValue }
  | { readonly kind: 'fault'; readonly must: string; readonly not: string; readonly example: string }

/** Checks what a flag or a variable says; a list has its pieces, everything else exactly one. */
export function checkTexts(row: OptionRow, texts: readonly string[]): Checked {
  const form = formOf(row)
  const wrong = texts.find((text) => !form.accepts(text))
  if (wrong !== undefined) return fault(row, form, wrong)
  if (isList(row)) return { kind: 'value', value: texts }
  const text = texts.at(-1) ?? ''
  return { kind: 'value', value: row.kind === 'count' ? Number(text) : text }
}

/** Checks what a TOML file says: a switch is a boolean, a count an integer, a list a string or a list of strings. */
export function checkToml(row: OptionRow, value: unknown): Checked {
  const form = formOf(row)
  if (row.kind === 'switch') return typeof value === 'boolean' ? { kind: 'value', value } : fault(row, form, value)
  if (row.kind === 'count')
    return typeof value === 'number' ? checkTexts(row, [String(value)]) : fault(row, form, value)
  if (typeof value === 'string') return checkTexts(row, [value])
  if (!isList(row)) {
    const must = form.must === NOT_EMPTY ? 'be text in quotes' : form.must
    return fault(row, { ...form, must }, value)
  }
  if (!Array.isArray(value) || !value.every((text) => typeof text === 'string')) {
    return fault(row, { ...form, must: 'be a string or a list of strings' }, value)
  }
  if (row.kind !== 'endpoints' || value.length > 0) return checkTexts(row, value)
  return fault(row, { ...form, must: 'have one ADDR:PORT at least' }, value)
}

/** A value as the operator may be shown it, the way TOML writes it; a secret is only said to be set. */
export function shownValue(row: OptionRow, value: SettingValue | null): string {
  if (value === null || (Array.isArray(value) && value.length === 0)) return '(not set)'
  if (isSecret(row)) return '(set)'
  if (Array.isArray(value)) return escaped(`[${value.map((text) => JSON.stringify(text)).join(', ')}]`)
  return escaped(JSON.stringify(row.kind === 'url' ? withoutPassword(String(value)) : value))
}

const NOT_EMPTY = 'not be empty'

interface Form {
  readonly must: string
  readonly example: string
  readonly accepts: (text: string) => boolean
}

function formOf(row: OptionRow): Form {
  const example = exampleOf(row)
  const special = SPECIAL_FORMS[row.long]
  if (special !== undefined) return special
  switch (row.kind) {
    case 'switch':
      return { must: 'be true or false', example: 'true', accepts: () => true }
    case 'endpoint':
    case 'endpoints':
      return { must: 'be ADDR:PORT', example, accepts: (text) => parseEndpoint(text) !== null }
    case 'url':
      return { must: 'be an http or https URL', example, accepts: isWebUrl }
    case 'choice':
      return { must: `be one of ${row.choices.join(', ')}`, example, accepts: (text) => row.choices.includes(text) }
    case 'count':
      return {
        must: `be a whole number from ${row.min} to ${row.max}`,
        example,
        accepts: (text) => /^\d{1,15}$/.test(text) && Number(text) >= row.min && Number(text) <= row.max,
      }
    case 'duration':
      return {
        must: 'be a number of hours, days or weeks',
        example: '90d',
        accepts: (text) => durationMs(text) !== null,
      }
    case 'file':
      return { must: 'name a file', example, accepts: (text) => text !== '' && !text.includes('\0') }
    case 'text':
    case 'secret':
    case 'secrets':
    case 'texts':
      return { must: NOT_EMPTY, example, accepts: (text) => text !== '' }
    default:
      return row satisfies never
  }
}

/** Settings whose text has a shape that their kind does not tell. */
const SPECIAL_FORMS: Readonly<Record<string, Form | undefined>> = {
  bootstrap: {
    must: 'be HOST or HOST:PORT',
    example: 'bootstrap.sentrypeer.org:4222',
    accepts: (text) => parseEndpoint(text) !== null || parseEndpoint(`${text}:0`) !== null || parseIp(text) !== null,
  },
  'api-key': {
    must: 'be visible ASCII characters, or sha256: and 64 hexadecimal digits',
    example: `sha256:${'0123456789abcdef'.repeat(4)}`,
    accepts: (text) => /^[!-~]+$/.test(text) && (!text.startsWith('sha256:') || /^sha256:[0-9a-fA-F]{64}$/.test(text)),
  },
  'public-range': { must: 'be NETWORK/BITS', example: '192.0.2.0/24', accepts: isRange },
  'api-unlimited': { must: 'be NETWORK/BITS', example: '192.0.2.0/24', accepts: isRange },
  'never-answer': { must: 'be NETWORK/BITS', example: '192.0.2.0/24', accepts: isRange },
}

function fault(row: OptionRow, { must, example }: Form, value: unknown): Checked {
  const open = row.kind === 'url' && typeof value === 'string' ? withoutPassword(value) : value
  return { kind: 'fault', must, example, not: isSecret(row) ? '' : `, not ${shown(JSON.stringify(open), 80)}` }
}

function exampleOf(row: OptionRow): string {
  if (row.kind === 'count') return String(row.default)
  if (isList(row)) return row.default[0] ?? 'TEXT'
  if (typeof row.default === 'string') return row.default
  return row.kind === 'url' ? 'https://example.org/events' : (row.placeholder ?? 'TEXT')
}

function isWebUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
}

function isRange(text: string): boolean {
  if (!/^[^/]+\/\d+$/.test(text)) return false
  try {
    createRangeCheck([text])
    return true
  } catch {
    return false // that is how it says that the text is no range
  }
}

/** A URL may carry `user:password@`. */
function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//(set)@')
}
