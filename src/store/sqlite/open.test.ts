// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { temporaryFolder } from './fixture.ts'
import { openForWriting } from './open.ts'

const ROUNDS = 5 // nine of ten went wrong when a file was made by whoever had looked first

/** Opens the file when it is told to, and tells how that went. */
const OPENER = `
const { parentPort, workerData } = require('node:worker_threads')
import(workerData.module).then(({ openForWriting }) => {
  parentPort.postMessage('ready')
  parentPort.once('message', () => {
    parentPort.postMessage('opening')
    try {
      openForWriting(workerData.file, { sync: 'normal', onProgress() {} }).close()
      parentPort.postMessage('opened')
    } catch (error) {
      parentPort.postMessage(error.message)
    }
  })
})`

async function opener(t: TestContext, file: string) {
  const thread = new Worker(OPENER, { eval: true, workerData: { module: import.meta.resolve('./open.ts'), file } })
  t.after(() => thread.terminate())
  const told: unknown[] = []
  thread.on('message', (message) => told.push(message))
  await once(thread, 'message')
  const tell = async (count: number) => {
    while (told.length < count) await once(thread, 'message')
    return told.at(-1)
  }
  return {
    thread,
    async begin() {
      thread.postMessage('begin')
      return tell(2)
    },
    result: () => tell(3),
  }
}

async function openTwice(t: TestContext, file: string) {
  const openers = await Promise.all([opener(t, file), opener(t, file)])
  for (const { begin } of openers) void begin()
  const results = await Promise.all(openers.map(({ result }) => result()))
  await Promise.all(openers.map(({ thread }) => thread.terminate()))
  return results
}

test('of two programs that begin at the same time on a new file, or on an earlier one, both begin', async (t) => {
  const folder = temporaryFolder(t)
  for (let round = 0; round < ROUNDS; round++) {
    const file = join(folder, `${round}.db`)
    assert.deepEqual(await openTwice(t, file), ['opened', 'opened'])
    const database = new DatabaseSync(file)
    database.exec('ALTER TABLE runs DROP COLUMN first_at')
    database.close()
    assert.deepEqual(await openTwice(t, file), ['opened', 'opened'])
  }
})

test('a thread that waits for a lock before it has opened the file ends soon when it is ended', async (t) => {
  const file = join(temporaryFolder(t), 'x.db')
  openForWriting(file, { sync: 'normal', onProgress: () => {} }).close()
  const locker = new DatabaseSync(file)
  t.after(() => locker.close())
  locker.exec('BEGIN IMMEDIATE')
  const { thread, begin } = await opener(t, file)
  assert.equal(await begin(), 'opening')
  await t.waitFor(() => assert.ok(timesOpen(file) > 1), { timeout: 5_000 }) // waiting is the next that it does
  const askedMs = performance.now()
  await thread.terminate()
  assert.ok(performance.now() - askedMs < 5_000, 'it waits for ten seconds in all')
})

/** How often this process has the file open. */
function timesOpen(file: string): number {
  const opened = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return null // closed meanwhile, as the one of this folder is
    }
  })
  return opened.filter((path) => path === file).length
}
