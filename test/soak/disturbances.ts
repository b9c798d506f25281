// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathOf } from '../peers.ts'
import { type Actor, pause, type Stage } from './stage.ts'
import { type SyslogCount, startSyslogReceiver } from './syslog-receiver.ts'

/** In the folder of the node. */
export const NAMES = { database: 'sentrypeer.db', jsonLog: 'sentrypeer_json.log', syslog: 'log' } as const

const LOCK = { firstMs: 7_000, everyMs: 45_000, leastMs: 1_000, moreMs: 4_000 }
const ROTATE = { firstMs: 5_000, everyMs: 20_000 }
const SYSLOG = { firstMs: 9_000, everyMs: 40_000, awayMs: 3_000 }

/** This process holds the write lock for some seconds now and then, as a backup of somebody's would. */
export const locks: Actor = async (stage) => {
  const random = stage.random(30)
  const database = new DatabaseSync(join(stage.folder, NAMES.database), { timeout: 10_000 })
  let waitMs = LOCK.firstMs
  while (await pause(stage, waitMs)) {
    try {
      database.exec('BEGIN IMMEDIATE')
    } catch {
      stage.note('locks that were not had')
      continue
    }
    stage.locked(true)
    await pause(stage, LOCK.leastMs + random.below(LOCK.moreMs))
    database.exec('ROLLBACK')
    stage.locked(false)
    stage.note('locks of the database')
    waitMs = LOCK.everyMs / 2 + random.below(LOCK.everyMs)
  }
  database.close()
}

/** Renames the JSON log and says so with SIGHUP. */
export function rotations(hangUp: () => void): Actor {
  return async (stage) => {
    const random = stage.random(31)
    const file = join(stage.folder, NAMES.jsonLog)
    let waitMs = ROTATE.firstMs
    for (let turn = 1; await pause(stage, waitMs); turn++) {
      await rename(file, `${file}.${turn}`)
      hangUp()
      stage.note('rotations of the JSON log')
      waitMs = ROTATE.everyMs / 2 + random.below(ROTATE.everyMs)
    }
  }
}

/** The files of the JSON log, oldest first. */
export function jsonLogs(folder: string): string[] {
  const file = join(folder, NAMES.jsonLog)
  const rotated: string[] = []
  for (let turn = 1; existsSync(`${file}.${turn}`); turn++) rotated.push(`${file}.${turn}`)
  return [...rotated, file]
}

/** A syslog that goes away and comes back; it stays until `drained` resolves. */
export async function syslogThatComesAndGoes(stage: Stage, drained: Promise<void>): Promise<SyslogCount | null> {
  if (pathOf('python3') === null) {
    stage.note('python3 is missing, so there is no syslog')
    if (process.env['CI']) stage.complain('python3 is missing: run test/install-peers.sh as root')
    return null
  }
  const path = join(stage.folder, NAMES.syslog)
  const sum = { lines: 0, strange: 0 }
  const random = stage.random(32)
  let waitMs = SYSLOG.firstMs
  for (;;) {
    const receiver = await startSyslogReceiver(path)
    const isOver = !(await pause(stage, waitMs))
    if (isOver) await drained
    const { lines, strange } = await receiver.stop()
    sum.lines += lines
    sum.strange += strange
    if (isOver) return sum
    stage.note('times that syslog was away')
    await pause(stage, random.below(SYSLOG.awayMs))
    waitMs = SYSLOG.everyMs / 2 + random.below(SYSLOG.everyMs)
  }
}
