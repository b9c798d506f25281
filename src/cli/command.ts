// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { requestedText, usage } from '../config/flags.ts'
import { shown } from '../ops/escape.ts'

/** What the command line asks for; `argv` holds the flags that are left to read. */
export type Command =
  | { readonly kind: 'help' | 'version' | 'api-key' }
  | { readonly kind: 'run' | 'config-check'; readonly argv: readonly string[] }
  | { readonly kind: 'purge'; readonly before: string; readonly argv: readonly string[] }

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
  if (first === 'purge') return purge(rest)
  if (first !== '' && !first.startsWith('-')) {
    throw usage(
      `there is no subcommand "${shown(first, 80)}"`,
      'Subcommands are "config check", "purge" and "api-key".',
    )
  }
  return { kind: 'run', argv }
}

/** `--before TIME` or `--before=TIME` among the flags that are settings. */
function purge(argv: readonly string[]): Command {
  const at = argv.findIndex((argument) => argument === '--before' || argument.startsWith('--before='))
  const joined = argv[at]?.slice('--before='.length) ?? ''
  const before = joined === '' ? argv[at + 1] : joined
  if (at === -1 || before === undefined) {
    throw usage('"purge" needs to be told what to delete', 'Say "sentrypeer purge --before 2026-01-31".')
  }
  return { kind: 'purge', before, argv: [...argv.slice(0, at), ...argv.slice(at + (joined === '' ? 2 : 1))] }
}
