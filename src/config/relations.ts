// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { OptionRow } from '../ops/option.ts'
import { usage } from './flags.ts'
import { SETTINGS, type Source } from './settings.ts'

/** Settings that mean something only together with another one. */
const COMPANIONS = [
  { long: 'bootstrap', needs: 'peer-to-peer', alone: 'it has no effect' },
  { long: 'oauth2-client-id', needs: 'oauth2-client-secret', alone: 'OAuth2 stays off' },
  { long: 'oauth2-client-secret', needs: 'oauth2-client-id', alone: 'OAuth2 stays off' },
  { long: 'tls-cert', needs: 'tls-key', alone: 'the key is looked for in its default place' },
  { long: 'tls-key', needs: 'tls-cert', alone: 'the certificate is looked for in its default place' },
] as const

/** Who names a file for the JSON log wants a JSON log, unless the same source says that it does not. */
export function withImplied(source: Source): Source {
  const file = source.get('json-log-file')
  if (file === undefined || source.has('json-log')) return source
  return new Map([...source, ['json-log', { ...file, value: true }]])
}

/**
 * Looks for settings without their companion. As a flag that is a USAGE error; from the environment or the file, where
 * it may be a leftover of another installation, it is a warning, one line each in the result.
 */
export function checkCompanions(given: Source): string[] {
  const warnings: string[] = []
  for (const { long, needs, alone } of COMPANIONS) {
    const one = given.get(long)
    if (one === undefined || (given.get(needs)?.value ?? false) !== false) continue
    if (one.flag !== null) throw usage(`${one.flag} also needs ${flagsOf(needs)}`)
    warnings.push(`${one.origin} sets ${long} without ${needs}: ${alone}`)
  }
  return warnings
}

function flagsOf(long: string): string {
  const row: OptionRow | undefined = SETTINGS.find((setting) => setting.row.long === long)?.row
  return row?.short === undefined ? `--${long}` : `-${row.short} (--${long})`
}
