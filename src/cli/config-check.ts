// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Config } from '../config/load.ts'
import { SETTINGS } from '../config/settings.ts'
import { shownValue } from '../config/values.ts'
import { escaped } from '../ops/escape.ts'
import { tomlKey } from '../ops/option.ts'

/** What `sentrypeer config check` prints: a line for each setting with its value and who set it. No secrets. */
export function configReport(config: Config): string {
  const values: Record<string, unknown> = { core: config.core, ...config.sinks }
  return SETTINGS.map(({ section, name, row }) => {
    const value = (values[section] as Record<string, Parameters<typeof shownValue>[1]>)[name] ?? null
    return `${tomlKey(row)} = ${shownValue(row, value)}  # ${escaped(config.origins[row.long] ?? 'default')}\n`
  }).join('')
}
