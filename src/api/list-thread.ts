// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { setPriority } from 'node:os'
import { platform } from 'node:process'
import { parentPort, workerData } from 'node:worker_threads'
import { createBogonCheck } from '../net/ip.ts'
import { errorCode } from '../ops/errors.ts'
import { openSqliteReader } from '../store/sqlite/reader.ts'
import type { FromMaker, ToMaker } from './list-job.ts'
import { createListMaker } from './list-maker.ts'
import type { ListThreadSettings } from './start-list-thread.ts'

/*
 * The thread that makes lists. It is started by the thread of the API when somebody asks for a list, and ended by it some
 * time after the last one. Look-ups and SIP come first: on Linux it runs at a lower priority than every other thread.
 */

const LOWER_PRIORITY = 5 // nice value: a third of the processor time of a thread at 0 while both want it (sched(7))

if (parentPort === null) throw new Error('list-thread.ts is started by start-list-thread.ts')
const port = parentPort
const { dbFile, publicRanges } = workerData as ListThreadSettings // made by start-list-thread.ts and nobody else

lowerPriority()

const maker = createListMaker(openSqliteReader(dbFile), createBogonCheck(publicRanges), (message: FromMaker) => {
  const moved = message.kind === 'begun' || message.kind === 'piece' ? [message.piece.buffer as ArrayBuffer] : []
  port.postMessage(message, moved)
})
port.on('message', (message: ToMaker) => maker.receive(message))

/** On Linux, and nowhere else, setpriority(2) takes 0 for the calling thread and not for its whole process. */
function lowerPriority(): void {
  if (platform !== 'linux') return
  try {
    setPriority(0, LOWER_PRIORITY)
  } catch (error) {
    // Where a sandbox forbids it, as our systemd unit does, lists are made all the same, at the priority of the rest.
    if (errorCode(error) !== 'ERR_SYSTEM_ERROR') throw error
  }
}
