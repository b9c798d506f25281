// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { OperatorError } from '../ops/errors.ts'
import { escaped } from '../ops/escape.ts'

const EXIT_USAGE = 2
const EXIT_OPERATOR = 1
const EXIT_BUG = 70 // EX_SOFTWARE of sysexits.h: a supervisor may restart us, and nobody has to fix a setting

/** The line on stderr about an error that ends the process, control characters escaped; a bug has its stack too. */
export function complaint(error: unknown): string {
  if (error instanceof OperatorError) {
    const code = error.code === 'USAGE' ? '' : ` [${error.code}]` // to be looked up in docs/errors.md
    return `sentrypeer: ${sentence(escaped(error.message))} ${escaped(error.hint)}${code}\n`
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const lines = stack.split('\n').map((line) => escaped(line))
  return `sentrypeer: this is a bug in SentryPeer, please report it: ${lines.join('\n')}\n`
}

/** Ends what has no end yet: a message may quote a text that brought its own. */
function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`
}

/** 2 for a mistake on the command line, 1 for what else the operator can fix, 70 for a bug of ours. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof OperatorError)) return EXIT_BUG
  return error.code === 'USAGE' ? EXIT_USAGE : EXIT_OPERATOR
}
