// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { faultsOfBooks, faultsOfDatabase, faultsOfSinks, type Metrics } from './books.ts'
import { jsonLogs, NAMES } from './disturbances.ts'
import type { Ledger } from './ledger.ts'
import { faultsOfJsonLog } from './logs.ts'
import { type Tally, tallyRows } from './rows.ts'
import type { SyslogCount } from './syslog-receiver.ts'

/** What a node that has been stopped left, and what there is to hold it against. */
export interface Evidence {
  readonly folder: string
  readonly ledger: Ledger
  /** Of the last look, when nothing was under way any more. */
  readonly metrics: Metrics
  /** Null when there was no syslog. */
  readonly syslog: SyslogCount | null
}

/** Sent = stored + counted, in the database, the metrics, the JSON log and syslog. */
export async function account({
  folder,
  ledger,
  metrics,
  syslog,
}: Evidence): Promise<{ tally: Tally; faults: string[] }> {
  const database = new DatabaseSync(join(folder, NAMES.database))
  const tally = tallyRows(database, ledger)
  const faults = [
    ...tally.faults,
    ...faultsOfBooks(ledger, tally, metrics),
    ...faultsOfDatabase(database, metrics),
    ...faultsOfSinks(metrics, syslog),
    ...(await faultsOfJsonLog(database, jsonLogs(folder))),
  ]
  database.close()
  return { tally, faults }
}
