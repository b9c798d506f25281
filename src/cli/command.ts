// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { requestedText, usage } from '../config/flags.ts'
import { shown } from '../ops/escape.ts'

/** What the command line asks for; `argv` holds the flags that are left to read. */
export type Command =
  | { readonly kind: 'help' | 'version' | 'api-key' }
  | { readonly kind: 'run' | 'config-check'; readonly argv: readonly string[] }

/** Takes the subcommand off the command line. `--help` and `--version` win over any mistake beside them. */
export function parseCommand(argv: readonly string[]): Command {
  const requested = requestedText(argv)
  if (requested !== null) return { kind: requested }
  const [first = '', ...rest] = argv
  if (first === 'config') {
    const [verb, ...flags] = rest
    if (verb !== 'check') throw usage('"config" needs to be told what to do', 'Say "sentrypeer config check".')
    return { kind: 'config-check', argv: flags }
  }
  if (first === 'api-key') {
    const [extra] = rest
    if (extra !== undefined) throw usage(`"api-key" has no use for "${shown(extra, 80)}"`)
    return { kind: 'api-key' }
  }
  if (first !== '' && !first.startsWith('-')) {
    throw usage(`there is no subcommand "${shown(first, 80)}"`, 'Subcommands are "config check" and "api-key".')
  }
  return { kind: 'run', argv }
}
