// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { OperatorError } from '../ops/errors.ts'
import { environmentName } from '../ops/option.ts'
import { nearest } from './nearest.ts'
import { type Given, isList, SETTINGS, type Setting, type Source } from './settings.ts'
import { checkTexts } from './values.ts'

/** Variables by name, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>

const PREFIX = 'SENTRYPEER_'
const OLD_NAMES = ['SENTRYPEER_WEBHOOK'] // set by old Dockerfiles; the URL alone decides

/**
 * Reads the environment. A switch is on when its variable is set at all, even to `0` or nothing; any other variable
 * that is empty is as good as not there, since container files pass variables on that nobody has set.
 */
export function readEnvironment(environment: Environment): Source {
  const source = new Map<string, Given>()
  for (const setting of SETTINGS) {
    const name = environmentName(setting.row)
    const text = name === null ? undefined : environment[name]
    if (name === null || text === undefined) continue
    const value = variableValue(setting, name, text)
    if (value !== null) source.set(setting.row.long, { value, origin: name, flag: null })
  }
  return source
}

/** One line for each variable that looks like a setting with a slip of the pen. */
export function misspelled(environment: Environment): string[] {
  const known = SETTINGS.flatMap(({ row }) => environmentName(row) ?? [])
  const warnings: string[] = []
  for (const name of Object.keys(environment)) {
    if (!name.startsWith(PREFIX) || known.includes(name) || OLD_NAMES.includes(name)) continue
    const bare = known.map((one) => one.slice(PREFIX.length))
    // Without a near name it is somebody else's: Kubernetes sets SENTRYPEER_SERVICE_HOST for a service "sentrypeer".
    const meant = nearest(name.slice(PREFIX.length), bare)
    if (meant !== null) warnings.push(`the variable ${name} is not used; did you mean ${PREFIX}${meant}?`)
  }
  return warnings
}

function variableValue({ row }: Setting, name: string, text: string): Given['value'] | null {
  if (row.kind === 'switch') return true
  // A key with a comma in it could not be sent anyway: RFC 6750 §2.1 has none in a bearer token.
  const pieces = (isList(row) ? text.split(',') : [text]).map((piece) => piece.trim()).filter((piece) => piece !== '')
  if (pieces.length === 0) return null
  const checked = checkTexts(row, isList(row) ? pieces : [text])
  if (checked.kind === 'value') return checked.value
  throw new OperatorError(
    'CONFIG_INVALID',
    `${name} must ${checked.must}${checked.not}`,
    `For example: ${name}=${checked.example}`,
  )
}
