// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createReadStream } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'

const MAX_LINE_CHARACTERS = 1_000_000 // above the longest message, every character of it escaped

/** Holds the lines of the JSON log, in all its files, against the rows: one line an event, none torn, none twice. */
export async function faultsOfJsonLog(database: DatabaseSync, files: readonly string[]): Promise<string[]> {
  database.exec('CREATE TEMP TABLE logged (event_uuid TEXT)')
  const insert = database.prepare('INSERT INTO temp.logged VALUES (?)')
  const faults: string[] = []
  database.exec('BEGIN')
  for (const file of files) {
    let torn = 0
    for await (const line of linesOf(file)) {
      const uuid = uuidIn(line)
      if (uuid === null) torn++
      else insert.run(uuid)
    }
    if (torn > 0) faults.push(`${torn} lines of ${file} are torn or no events`)
  }
  database.exec('COMMIT')
  database.exec('CREATE INDEX temp.by_uuid ON logged (event_uuid)')
  const count = (sql: string) => Number(database.prepare(sql).get()?.['count'])
  const missing = count(
    `SELECT count(*) AS count FROM honey WHERE event_uuid NOT IN (SELECT event_uuid FROM temp.logged)`,
  )
  const strange = count(
    `SELECT count(*) AS count FROM temp.logged WHERE event_uuid NOT IN (SELECT event_uuid FROM honey)`,
  )
  const twice = count(`SELECT count(*) - count(DISTINCT event_uuid) AS count FROM temp.logged`)
  if (missing > 0) faults.push(`${missing} events are not in the JSON log`)
  if (strange > 0) faults.push(`${strange} lines of the JSON log are of no event in the database`)
  if (twice > 0) faults.push(`${twice} lines of the JSON log are of an event that has a line already`)
  return faults
}

/** A last line without its end is torn, and given as the empty one. */
async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of createReadStream(file, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
    if (rest.length > MAX_LINE_CHARACTERS) throw new Error(`a line of ${file} does not end`)
  }
  if (rest !== '') yield ''
}

function uuidIn(line: string): string | null {
  try {
    const event = JSON.parse(line) as { readonly event_uuid?: unknown } | null
    return typeof event?.event_uuid === 'string' ? event.event_uuid : null
  } catch {
    return null
  }
}
