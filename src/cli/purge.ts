// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { existsSync } from 'node:fs'
import { usage } from '../config/flags.ts'
import type { Config } from '../config/load.ts'
import { OperatorError } from '../ops/errors.ts'
import { shown } from '../ops/escape.ts'
import { openSqliteWriter } from '../store/sqlite/writer.ts'

const PROGRESS_EVERY_MS = 1_000
const TIME = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2})?)Z?)?$/

/**
 * Deletes what is older than `before` (`2026-01-31` or `2026-01-31 12:30`, UTC) from the database of the settings, also
 * while a node has it open, and gives the lines that say what was deleted. Throws USAGE for what is no time in the past,
 * DB_NOT_WRITABLE when there is no such file, and what `openSqliteWriter` throws.
 */
export async function purge(
  { core }: Config,
  before: string,
  { say, wallMs }: { readonly say: (text: string) => void; readonly wallMs: () => number },
): Promise<string> {
  const time = timeInPast(before, wallMs())
  const file = core.dbFile
  if (!existsSync(file)) {
    throw new OperatorError('DB_NOT_WRITABLE', `there is no database ${file}`, 'Name it with -f (--db-file).')
  }
  const writer = await openSqliteWriter({ file, sync: core.dbSync, firstValues: {} }, say)
  let saidAtMs = performance.now()
  try {
    const { events, badActors, calledNumbers } = await writer.purge(time, (purged) => {
      if (performance.now() - saidAtMs < PROGRESS_EVERY_MS) return
      saidAtMs = performance.now()
      say(`${purged.events} events deleted so far`)
    })
    return `Deleted ${events} events, ${badActors} bad actors and ${calledNumbers} called numbers from before ${time} UTC\n`
  } finally {
    await writer.close()
  }
}

function timeInPast(text: string, nowMs: number): string {
  const [, day = '', clock = '00:00'] = TIME.exec(text) ?? []
  const ms = Date.parse(`${day}T${clock}Z`)
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== day) {
    throw usage(`"${shown(text, 40)}" is no time`, 'Write it like --before 2026-01-31, in UTC.')
  }
  if (ms > nowMs) throw usage(`${shown(text, 40)} has not come yet: that would delete everything`)
  return `${day} ${clock}`
}
