// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { closeSync, existsSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import {
  CREATE_COUNTS,
  CREATE_TIME_INDEXES,
  CREATE_VIEWS,
  DROP_ROW_INDEXES,
  OUR_COLUMNS,
  SCHEMA_VERSION,
} from './schema.ts'
import { splitSource } from './source.ts'

/**
 * Makes a file of the C program ours, in one transaction, with a copy of it beside it. Every row stays. Sources that
 * its 4.x versions stored as `ip:port` are split. The rows are counted afterwards, in the background.
 */
export function upgradeFromC(database: DatabaseSync, file: string, onProgress: (text: string) => void): void {
  const rows = Number(database.prepare('SELECT count(*) AS rows FROM honey').get()?.['rows'])
  const copy = backUp(database, file)
  onProgress(`Upgrading ${file} (${rows} events); a copy of it is ${copy}`)

  database.function('bare_ip', { deterministic: true }, (source) => splitSource(source).ip)
  database.function('source_port', { deterministic: true }, (source) => splitSource(source).port)
  database.exec('BEGIN IMMEDIATE')
  try {
    const present = new Set(
      database
        .prepare("SELECT name FROM pragma_table_info('honey')")
        .all()
        .map(({ name }) => name),
    )
    for (const column of OUR_COLUMNS) {
      if (!present.has(column.split(' ')[0] ?? '')) database.exec(`ALTER TABLE honey ADD COLUMN ${column}`)
    }
    database.exec(`UPDATE honey SET source_port = source_port(source_ip), source_ip = bare_ip(source_ip)
      WHERE source_ip LIKE '%:%' AND bare_ip(source_ip) <> source_ip`)
    database.exec(`${DROP_ROW_INDEXES} ${CREATE_COUNTS} ${CREATE_TIME_INDEXES} ${CREATE_VIEWS}`)
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    rmSync(copy, { force: true }) // the file is what it was, and a service that starts again and again would pile them up
    throw error
  }
  onProgress(`Upgraded ${file}; its events are counted in the background`)
}

/**
 * A whole, consistent copy under a name that is still free, for the same eyes as the file. It gets that name when it is
 * whole, so that nobody takes for a copy what a crash left of one.
 */
function backUp(database: DatabaseSync, file: string): string {
  let copy = `${file}.before-upgrade`
  for (let number = 2; existsSync(copy); number++) copy = `${file}.before-upgrade-${number}`
  const unfinished = `${file}.before-upgrade.unfinished`
  const remove = () => {
    for (const end of ['', '-journal']) rmSync(`${unfinished}${end}`, { force: true })
  }
  remove()
  try {
    closeSync(openSync(unfinished, 'ax', statSync(file).mode & 0o777))
    database.prepare('VACUUM INTO ?').run(unfinished) // it takes an empty file, and none with anything in it
    renameSync(unfinished, copy)
    return copy
  } catch (error) {
    remove()
    throw error
  }
}
