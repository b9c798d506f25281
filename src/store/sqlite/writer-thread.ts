// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { statSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { OperatorError, reason } from '../../ops/errors.ts'
import { asOperatorError, keepFirst, openForWriting, sqliteCode } from './open.ts'
import { createHoneyTable } from './table.ts'
import type { FromWriter, ToWriter, WriterSettings } from './writer.ts'

/*
 * The thread that owns the database. It does what it is asked in the order it is asked, answers each request with one
 * message, and counts other programs' rows while nobody asks for anything.
 */

const LOOK_FOR_OTHERS_MS = 2_000 // how soon rows that another program inserts are counted on a quiet node
const CLOSE_BUSY_MS = 200

if (parentPort === null) throw new Error('writer-thread.ts is started by writer.ts')
const port = parentPort
const { file, sync, firstValues } = workerData as WriterSettings // made by writer.ts and nobody else
const post = (message: FromWriter, ...transferred: ArrayBuffer[]) => port.postMessage(message, transferred)

run()

/** A lock or a full disk keeps the file from coming to rest: no loss, the log beside it has everything. */
function atRest(database: DatabaseSync): void {
  try {
    database.exec(`PRAGMA busy_timeout = ${CLOSE_BUSY_MS}; PRAGMA wal_checkpoint(TRUNCATE)`)
  } catch (error) {
    post({ kind: 'progress', text: `${file} could not be tidied up at the stop: ${reason(error)}` })
  }
  database.close()
}

/** Which file the path names; null when none. */
function identity(): string | null {
  const entry = statSync(file, { throwIfNoEntry: false })
  return entry === undefined ? null : `${entry.dev}:${entry.ino}`
}

function run(): void {
  try {
    const database = openForWriting(file, { sync, onProgress: (text) => post({ kind: 'progress', text }) })
    const table = createHoneyTable(database)
    const opened = identity()
    let counting = true

    const countWhenIdle = (): void => {
      if (!counting) return
      try {
        table.noteRowsOfOthers()
        counting = table.countSlice()
      } catch {
        // Locked or full just now: whoever holds it up will be reported by the next batch; go on a little later.
        setTimeout(countWhenIdle, 1_000).unref()
        return
      }
      if (counting) setImmediate(countWhenIdle)
    }

    const looking = setInterval(() => {
      if (counting) return
      counting = true
      countWhenIdle()
    }, LOOK_FOR_OTHERS_MS)

    port.on('message', (message: ToWriter) => {
      switch (message.kind) {
        case 'append': {
          const { slab } = message.batch
          return post(
            written(slab, () => ({ kind: 'committed', firstId: table.append(message.batch), slab })),
            slab,
          )
        }
        case 'amend':
          return post(
            written(null, () => {
              table.amend(message.counts)
              return { kind: 'amended' }
            }),
          )
        case 'ping':
          return post({ kind: 'pong' })
        case 'close':
          counting = false
          clearInterval(looking)
          atRest(database)
          post({ kind: 'closed' })
          port.close()
          return
        default:
          return message satisfies never
      }
    })

    function written(slab: ArrayBuffer | null, write: () => FromWriter): FromWriter {
      // Rows for a file that was moved or removed would be gone with our exit, or be looked for in vain.
      if (identity() !== opened)
        return { kind: 'refused', reason: `${file} is not the file that was opened: put it back, or restart`, slab }
      try {
        const answer = write()
        if (!counting) {
          counting = true // rows of others may have shown up between ours
          setImmediate(countWhenIdle)
        }
        return answer
      } catch (error) {
        return { kind: 'refused', reason: reason(error), slab }
      }
    }

    post({ kind: 'opened', kept: keepFirst(database, firstValues) })
    setImmediate(countWhenIdle)
  } catch (error) {
    if (!(error instanceof OperatorError) && sqliteCode(error) === null) throw error
    const { code, message, hint } = asOperatorError(error, file)
    post({ kind: 'failed', code, reason: message, hint })
    port.close()
  }
}
