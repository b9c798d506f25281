// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { parentPort, workerData } from 'node:worker_threads'
import { createBogonCheck } from '../net/ip.ts'
import { createLocalAddresses } from '../net/local.ts'
import { collectGarbage } from '../ops/collect-garbage.ts'
import { OperatorError } from '../ops/errors.ts'
import type { Log } from '../ops/log.ts'
import { openSqliteReader } from '../store/sqlite/reader.ts'
import { ASK_TIMES, createQuestion } from './ask-main.ts'
import type { HealthReport } from './health.ts'
import { limitsWithin } from './limits.ts'
import type { MetricReading } from './metrics.ts'
import { startApi } from './server.ts'
import { startListThread } from './start-list-thread.ts'
import type { ApiSettings, FromApi, LogLine, ToApi } from './thread-messages.ts'

/*
 * The thread of the REST API: its sockets, look-ups, and the sending of lists that another thread makes. It shares
 * nothing with the main thread but messages, so neither waits for the other.
 */

if (parentPort === null) throw new Error('api-thread.ts is started by start-api-thread.ts')
const port = parentPort
const settings = workerData as ApiSettings // made by start-api-thread.ts and nobody else
const post = (message: FromApi) => port.postMessage(message)

await run()

async function run(): Promise<void> {
  const { dbFile, publicRanges, places, first } = settings
  const steadyMs = () => performance.now()
  const health = createQuestion<HealthReport>(
    () => post({ kind: 'ask', what: 'health' }),
    first.health,
    ASK_TIMES,
    steadyMs,
  )
  const metrics = createQuestion<readonly MetricReading[]>(
    () => post({ kind: 'ask', what: 'metrics' }),
    first.metrics,
    ASK_TIMES,
    steadyMs,
  )
  const stopping = Promise.withResolvers<void>()
  port.on('message', (message: ToApi) => {
    switch (message.kind) {
      case 'health':
        return health.told(message.health)
      case 'metrics':
        return metrics.told(message.metrics)
      case 'stop':
        return stopping.resolve()
      default:
        return message satisfies never
    }
  })
  const reader = openSqliteReader(dbFile, { oneViewPerTurn: true })
  try {
    const api = await startApi(
      {
        ...settings,
        isBogon: createBogonCheck(publicRanges),
        ownAddresses: createLocalAddresses(steadyMs).all,
        health: health.read,
        metrics: metrics.read,
        steadyMs,
        log: createPostedLog(),
      },
      reader,
      (onMessage, onDeath) => startListThread({ dbFile, publicRanges }, onMessage, onDeath),
      limitsWithin(places),
    )
    post({ kind: 'listening', address: api.address, port: api.port })
    collectGarbage() // 5 MB
    await stopping.promise
    await api.stop()
    post({ kind: 'stopped' })
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    post({ kind: 'refused', code: error.code, reason: error.message, hint: error.hint })
  } finally {
    reader.close()
    port.close()
  }
}

function createPostedLog(): Log {
  const line = (name: LogLine) => (text: string) => post({ kind: 'log', line: name, text })
  return { warn: line('warn'), notice: line('notice'), info: line('info'), debug: line('debug') }
}
