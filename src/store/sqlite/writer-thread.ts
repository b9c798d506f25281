// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { statSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { collectWhenQuiet } from '../../ops/collect-garbage.ts'
import { OperatorError, reason } from '../../ops/errors.ts'
import { every } from '../../ops/every.ts'
import { type CatchUp, createCatchUp } from './catch-up.ts'
import { asOperatorError, keepFirst, openForWriting, sqliteCode } from './open.ts'
import { createPurge } from './purge.ts'
import { createHoneyTable } from './table.ts'
import type { FromWriter, ToWriter, WriterSettings } from './writer.ts'

/*
 * The thread that owns the database. It does what it is asked in the order it is asked, and answers each request with
 * one message. Between requests it lets the views catch up and purges, in steps of some milliseconds; when events keep
 * coming, as much after each batch as the batch owes.
 */

const LOOK_FOR_OTHERS_MS = 2_000 // how soon rows that another program inserts are folded on a quiet node
const QUIET_MS = 20 // without an append: then what waits is folded, however little it is
const RETRY_MS = 1_000
const TOLD_AFTER = 30 // tries, half a minute or more: longer than a lock or a full disk that is nobody's worry
const HURRIED_BUSY_MS = 200 // for a lock at a stop: chosen, so that several tries fit into it
const CLOSE_CATCH_UP_MS = 500 // so that a shell finds the views complete; what there is more stays in the tail

if (parentPort === null) throw new Error('writer-thread.ts is started by writer.ts')
const port = parentPort
const { file, sync, firstValues } = workerData as WriterSettings // made by writer.ts and nobody else
const post = (message: FromWriter, ...transferred: ArrayBuffer[]) => port.postMessage(message, transferred)

run()

/** A lock or a full disk keeps the file from coming to rest: no loss, the log beside it has everything. */
function atRest(database: DatabaseSync, catchUp: CatchUp): void {
  const untilMs = performance.now() + CLOSE_CATCH_UP_MS
  try {
    hurry(database)
    while (catchUp.isBehind() && performance.now() < untilMs) catchUp.step(true)
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } catch (error) {
    post({ kind: 'progress', text: `${file} could not be tidied up at the stop: ${reason(error)}` })
  }
  database.close()
}

/** Another step that waits for a lock as long as one usually does would be too long for a stop. */
function hurry(database: DatabaseSync): void {
  database.exec(`PRAGMA busy_timeout = ${HURRIED_BUSY_MS}`)
}

/** Which file the path names; null when none. */
function identity(): string | null {
  const entry = statSync(file, { throwIfNoEntry: false })
  return entry === undefined ? null : `${entry.dev}:${entry.ino}`
}

function run(): void {
  let opening: DatabaseSync | null = null
  try {
    const database = openForWriting(file, { sync, onProgress: (text) => post({ kind: 'progress', text }) })
    opening = database
    const kept = keepFirst(database, firstValues) // before there is anything that would keep the thread alive
    const table = createHoneyTable(database)
    const catchUp = createCatchUp(database)
    const purge = createPurge(database, catchUp.runs)
    const opened = identity()
    let isStopping = false // nothing but what is asked for is done any more
    let isAwake = false // a look at what there is to do is due
    let retrying: NodeJS.Timeout | null = null
    let appendedAtMs = 0
    let failures = 0 // of the work between batches, one after the other
    let appended = 0

    function wake(): void {
      if (isAwake || isStopping || retrying !== null) return
      isAwake = true
      setImmediate(work)
    }

    /** Locked or full just now: whoever holds it up will be reported by the next batch; go on a little later. */
    function later(ms: number): void {
      retrying ??= setTimeout(() => {
        retrying = null
        wake()
      }, ms)
    }

    function work(): void {
      isAwake = false
      if (isStopping) return
      try {
        const isQuiet = performance.now() - appendedAtMs >= QUIET_MS
        const purged = purge.slice()
        if (purged !== null) post(purged)
        const hasStepped = catchUp.step(isQuiet)
        failures = 0
        if (hasStepped || purged !== null) wake()
        else if (!isQuiet && catchUp.isBehind()) later(QUIET_MS)
      } catch (error) {
        if (++failures === TOLD_AFTER) {
          const what = 'what is known of addresses and numbers cannot be brought up to date'
          post({ kind: 'progress', text: `${file}: ${what}: ${reason(error)}` })
        }
        later(RETRY_MS)
      }
    }

    function afterAppend(rows: number): void {
      appendedAtMs = performance.now()
      appended += rows
      try {
        if (retrying === null && !isStopping) catchUp.owe(rows)
      } catch {
        later(RETRY_MS)
      }
    }

    const looking = setInterval(wake, LOOK_FOR_OTHERS_MS)
    collectWhenQuiet(() => appended, every)

    port.on('message', (message: ToWriter) => {
      switch (message.kind) {
        case 'append': {
          const { slab, count } = message.batch
          const answer = written(slab, () => ({ kind: 'committed', firstId: table.append(message.batch), slab }))
          post(answer, slab)
          if (answer.kind === 'committed') afterAppend(count)
          return
        }
        case 'amend':
          return post(
            written(null, () => {
              table.amend(message.counts)
              return { kind: 'amended' }
            }),
          )
        case 'purge':
          purge.begin(message.before, message.isThorough)
          return wake()
        case 'ping':
          return post({ kind: 'pong' })
        case 'hurry':
          hurry(database)
          return endBackground()
        case 'close':
          endBackground()
          atRest(database, catchUp)
          post({ kind: 'closed' })
          port.close()
          return
        default:
          return message satisfies never
      }
    })

    function endBackground(): void {
      isStopping = true
      clearInterval(looking)
      if (retrying !== null) clearTimeout(retrying)
    }

    function written(slab: ArrayBuffer | null, write: () => FromWriter): FromWriter {
      // Rows for a file that was moved or removed would be gone with our exit, or be looked for in vain.
      if (identity() !== opened)
        return { kind: 'refused', reason: `${file} is not the file that was opened: put it back, or restart`, slab }
      try {
        const answer = write()
        wake()
        return answer
      } catch (error) {
        return { kind: 'refused', reason: reason(error), slab }
      }
    }

    post({ kind: 'opened', kept })
    wake()
  } catch (error) {
    if (!(error instanceof OperatorError) && sqliteCode(error) === null) throw error
    const { code, message, hint } = asOperatorError(error, file)
    opening?.close()
    post({ kind: 'failed', code, reason: message, hint })
    port.close()
  }
}
