// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { add, eventOf, temporaryFolder } from '../store/sqlite/fixture.ts'
import { openForWriting } from '../store/sqlite/open.ts'
import { createHoneyTable } from '../store/sqlite/table.ts'
import type { HealthReport } from './health.ts'
import { createListMaking } from './list-making.ts'
import { type ApiThread, startApiThread } from './start-api-thread.ts'
import { startListThread } from './start-list-thread.ts'
import type { ApiSettings } from './thread-messages.ts'

const NUMBERS = 20_000 // a list of 3 MB: more than the buffers of a connection hold

function filledFile(t: TestContext, numbers: number): string {
  const file = join(temporaryFolder(t), 'x.db')
  const database = openForWriting(file, { sync: 'normal', onProgress: () => {} })
  add(createHoneyTable(database), ...Array.from({ length: numbers }, (_, n) => eventOf({ calledNumber: `00${n}` })))
  database.close()
  return file
}

function settingsOf(dbFile: string, port = 0): ApiSettings {
  return {
    listen: { host: '127.0.0.1', port },
    keys: [],
    allowAnonymous: false,
    unlimitedRanges: [],
    version: '1.2.3',
    dbFile,
    places: { connections: 512, lists: 32 },
    publicRanges: [],
    first: { health: { notStoring: null, sinks: [], dropped: {} }, metrics: [] },
  }
}

/** An API in its thread, which is stopped when the test ends. */
async function startThread(t: TestContext, dbFile: string, health: () => HealthReport) {
  const lines: string[] = []
  const print = (text: string) => void lines.push(text)
  const log = { warn: print, notice: print, info: print, debug: print }
  const thread = await startApiThread(settingsOf(dbFile), { health, metrics: () => [] }, log)
  t.after(() => thread.stop())
  return { ...thread, lines, get: (path: string) => fetch(`http://127.0.0.1:${thread.port}${path}`) }
}

const WELL: HealthReport = { notStoring: null, sinks: [], dropped: { queue_full: 7 } }

test('the thread answers from the store, with what the main thread says, and ends when it is told to', async (t) => {
  const api = await startThread(t, filledFile(t, 3), () => WELL)
  assert.equal((await api.get('/numbers/002')).status, 200)
  assert.equal(((await (await api.get('/numbers')).json()) as { called_numbers_total: number }).called_numbers_total, 3)
  assert.deepEqual(((await (await api.get('/health-check')).json()) as HealthReport).dropped, { queue_full: 7 })
  assert.match(await (await api.get('/metrics')).text(), /^sentrypeer_api_list_thread 1$/m)
  await api.stop()
  await assert.rejects(api.get('/'))
})

// Asks without pause while the main thread is blocked, which a client in that thread could not.
const ASKING = `
const { parentPort, workerData: { port, isDone } } = require('node:worker_threads')
const body = async (path) => (await fetch('http://127.0.0.1:' + port + path)).json()
parentPort.once('message', async () => {
  const heard = { lookups: 0, longestMs: 0, healths: [] }
  for (const until = performance.now() + 2000; performance.now() < until; ) {
    const askedMs = performance.now()
    if ((await body('/numbers/002')).seen_count === '1') heard.lookups++
    heard.healths.push(await body('/health-check'))
    heard.longestMs = Math.max(heard.longestMs, performance.now() - askedMs)
  }
  parentPort.postMessage(heard)
  Atomics.store(isDone, 0, 1)
  Atomics.notify(isDone, 0)
})
parentPort.postMessage('ready')
`

interface Heard {
  readonly lookups: number
  readonly longestMs: number
  readonly healths: readonly { readonly status: string; readonly unanswered_seconds?: number }[]
}

test('while the main thread is blocked for two seconds the API answers, and says that it could not ask', async (t) => {
  const api = await startThread(t, filledFile(t, 3), () => WELL)
  const isDone = new Int32Array(new SharedArrayBuffer(4))
  const client = new Worker(ASKING, { eval: true, workerData: { port: api.port, isDone } })
  t.after(() => client.terminate())
  await once(client, 'message')
  client.postMessage('go')
  Atomics.wait(isDone, 0, 0, 30_000) // blocks this thread, which is the main thread of that API
  const [heard] = (await once(client, 'message')) as [Heard]
  assert.ok(heard.lookups > 5, `${heard.lookups} look-ups`)
  assert.ok(heard.longestMs < 2_000, `${heard.longestMs} ms`)
  const unanswered = heard.healths.map(({ unanswered_seconds: seconds }) => seconds ?? 0)
  assert.ok(Math.max(...unanswered) > 1, `${unanswered}`)
  assert.ok(heard.healths.every(({ status }) => status === 'OK'))
  const after = (await (await api.get('/health-check')).json()) as Heard['healths'][number]
  assert.equal(after.unanswered_seconds, undefined)
})

test('a port that is taken reaches the caller as the error that it is', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  const taken = other.address()
  assert.ok(taken !== null && typeof taken === 'object')
  const log = { warn: () => {}, notice: () => {}, info: () => {}, debug: () => {} }
  await assert.rejects(
    startApiThread(settingsOf(filledFile(t, 1), taken.port), { health: () => WELL, metrics: () => [] }, log),
    { code: 'LISTEN_FAILED', message: /EADDRINUSE/, hint: /--api-listen/ },
  )
})

test('a stop during lists that nobody reads ends the thread within its bounds', async (t) => {
  const api = await startThread(t, filledFile(t, NUMBERS), () => WELL)
  for (let reader = 0; reader < 5; reader++) {
    const socket = connect(api.port, '127.0.0.1')
    t.after(() => socket.destroy())
    socket.on('error', () => {}) // it is cut
    socket.write('GET /numbers HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(socket, 'readable')
  }
  const askedMs = performance.now()
  await api.stop()
  const tookMs = performance.now() - askedMs
  assert.ok(tookMs < 2_000, `${tookMs} ms`)
})

test('a thread that ends by itself says why', async (t) => {
  const dying = startApiThread(
    settingsOf(join(temporaryFolder(t), 'none', 'x.db')), // no reader opens that
    { health: () => WELL, metrics: () => [] },
    { warn: () => {}, notice: () => {}, info: () => {}, debug: () => {} },
  ) satisfies Promise<ApiThread>
  await assert.rejects(dying, /unable to open database file/)
})

test('the thread that makes lists is there while there are lists, and hands over a whole list', async (t) => {
  const dbFile = filledFile(t, 1_000)
  const log: string[] = []
  const making = createListMaking(
    (onMessage, onDeath) => startListThread({ dbFile, publicRanges: [] }, onMessage, onDeath),
    50,
    (text) => void log.push(text),
  )
  t.after(() => making.stop())
  assert.equal(making.isRunning(), false)
  const pieces: Uint8Array[] = []
  const done = Promise.withResolvers<void>()
  const job = { kind: 'whole', name: 'called_numbers', query: { order: 'newest' }, withCursor: false } as const
  const list = making.begin(job, false, (message) => {
    if ('piece' in message) {
      pieces.push(message.piece)
      list?.more()
    }
    if (message.kind === 'done') done.resolve()
  })
  await done.promise
  assert.equal(JSON.parse(Buffer.concat(pieces).toString()).called_numbers.length, 1_000)
  assert.equal(making.isRunning(), true)
  list?.end()
  await t.waitFor(() => assert.equal(making.isRunning(), false))
  assert.deepEqual(log, [])
})
