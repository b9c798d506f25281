// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { randomBytes } from 'node:crypto'
import type { Config } from './config/load.ts'
import { choosePersona } from './honeypot/persona.ts'
import type { Log } from './ops/log.ts'
import { openSqliteWriter, type SqliteWriter } from './store/sqlite/writer.ts'

/**
 * The node's database, opened by its thread. A file of its own that needs little, so that the thread begins before the
 * rest of the program is read in: both take some 40 ms. Rejects with the OperatorErrors of `openSqliteWriter`.
 */
export function openStore({ core }: Config, log: Log): Promise<SqliteWriter> {
  const firstValues = { seed: randomBytes(16).toString('hex'), persona: choosePersona(Math.random()) }
  const opening = openSqliteWriter({ file: core.dbFile, sync: core.dbSync, firstValues }, log.notice)
  opening.catch(() => {}) // whoever awaits it later is told too
  return opening
}
