// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { escaped } from './escape.ts'

/**
 * Diagnostics for the operator, one line each. Events of bad actors are not diagnostics: they have a schema and go
 * to the store and the sinks.
 */
export interface Log {
  /** Printed always: what could not be done, and what happens next. */
  warn(text: string): void
  /** Printed always: the few lines that people look for at start and stop. */
  notice(text: string): void
  /** Printed with `-v` or `-d`. */
  info(text: string): void
  /** Printed with `-d`. */
  debug(text: string): void
}

/** The log of a process: it may end with lines skipped that nobody was told of. */
export interface ProcessLog extends Log {
  /** The last word: tells of skipped lines, read or not. */
  end(): void
}

export type LogLevel = 'notice' | 'info' | 'debug'

/**
 * A log that hands finished lines to `write` (stderr in the daemon). Control characters in a line are escaped, since
 * a line may quote what an attacker sent. While `isBacklogged` says that nobody reads what was written, the lines of
 * `-v` and `-d` are skipped, or the backlog would grow with every packet; the first line after that says how many.
 */
export function createLog(level: LogLevel, write: (line: string) => void, isBacklogged = () => false): ProcessLog {
  let skipped = 0
  const tellSkipped = () => {
    if (skipped > 0) write(`Lines not printed because nobody read this log: ${skipped}\n`)
    skipped = 0
  }
  const print = (text: string) => {
    if (!isBacklogged()) tellSkipped()
    write(`${escaped(text)}\n`)
  }
  const printIfRead = (text: string) => {
    if (isBacklogged()) skipped++
    else print(text)
  }
  const never = () => {}
  return {
    warn: print,
    notice: print,
    info: level === 'notice' ? never : printIfRead,
    debug: level === 'debug' ? printIfRead : never,
    end: tellSkipped,
  }
}

/**
 * Tells of something that keeps happening at a humane rate: the first time at once, then at most one line every
 * `everyMs` with how often it happened since. `now` is a clock in milliseconds.
 */
export function createRepeatedNotice(print: (text: string) => void, everyMs: number, now: () => number) {
  let printedAtMs = Number.NEGATIVE_INFINITY
  let unprinted = 0
  return (text: string): void => {
    unprinted++
    if (now() - printedAtMs < everyMs) return
    print(unprinted > 1 ? `${text} (${unprinted} times since the last such line)` : text)
    printedAtMs = now()
    unprinted = 0
  }
}
