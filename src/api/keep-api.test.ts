// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { keepApi } from './keep-api.ts'
import type { ApiThread } from './start-api-thread.ts'
import type { ApiSettings } from './thread-messages.ts'

const TIMES = { firstMs: 10, mostMs: 40, lastedMs: 60_000 }

const HEALTH = { notStoring: null, sinks: [], dropped: {} }

const SETTINGS: ApiSettings = {
  listen: { host: '127.0.0.1', port: 0 },
  keys: [],
  allowAnonymous: false,
  unlimitedRanges: [],
  version: '1.2.3',
  dbFile: '/nonexistent',
  places: { connections: 512, lists: 32 },
  publicRanges: [],
  first: { health: HEALTH, metrics: [] },
}

/** Keeps an API whose threads the test lets die. */
async function keepFixture(refuses: (start: number) => boolean = () => false) {
  const lines: string[] = []
  const started: { port: number; die: (error: Error) => void; stopped: boolean }[] = []
  const print = (text: string) => void lines.push(text)
  let starts = 0
  const start = async ({ listen }: ApiSettings): Promise<ApiThread> => {
    if (refuses(++starts)) throw new Error('the port is taken')
    const failed = Promise.withResolvers<Error>()
    const one = { port: listen.port, die: failed.resolve, stopped: false }
    started.push(one)
    return {
      address: '127.0.0.1',
      port: listen.port || 4711,
      failed: failed.promise,
      async stop() {
        one.stopped = true
      },
    }
  }
  const log = { warn: print, notice: print, info: print, debug: print }
  const answers = { health: () => HEALTH, metrics: () => [] }
  return { started, lines, api: await keepApi(SETTINGS, answers, log, TIMES, start) }
}

test('an API that dies is started again on the port that it had, and the log says so', async (t) => {
  const { started, lines, api } = await keepFixture()
  assert.equal(api.port, 4711)
  started[0]?.die(new Error('a bug'))
  await t.waitFor(() => assert.equal(started.length, 2))
  assert.equal(started[1]?.port, 4711)
  assert.match(
    lines[0] ?? '',
    /^The REST API failed, please report this: Error: a bug\n.*again in 0\.01 s; SIP goes on$/s,
  )
  await t.waitFor(() => assert.equal(lines.at(-1), 'The REST API is back'))
  await api.stop(1_000)
  assert.equal(started[1]?.stopped, true)
})

test('an API that goes on dying, or that cannot start, is started later and later', async (t) => {
  const { started, lines, api } = await keepFixture((start) => start === 3)
  for (const n of [1, 2, 3]) {
    await t.waitFor(() => assert.equal(started.length, n))
    started[n - 1]?.die(new Error('a bug'))
  }
  await t.waitFor(() => assert.equal(started.length, 4))
  await api.stop(1_000)
  assert.deepEqual(
    lines.map((line) => /again in ([\d.]+) s/.exec(line)?.[1]).filter((seconds) => seconds !== undefined),
    ['0.01', '0.02', '0.04', '0.04'],
  )
  assert.ok(lines.some((line) => line.startsWith('The REST API did not start: the port is taken')))
})

test('an API that does not end holds up a stop no longer than it may', async () => {
  const stuck = async (): Promise<ApiThread> => ({
    address: '127.0.0.1',
    port: 4711,
    failed: new Promise(() => {}),
    stop: () => new Promise(() => {}),
  })
  const log = { warn: assert.fail, notice: assert.fail, info: assert.fail, debug: assert.fail }
  const api = await keepApi(SETTINGS, { health: () => HEALTH, metrics: () => [] }, log, TIMES, stuck)
  await Promise.all([api.stop(10), setTimeout(20)]) // a timer of the API keeps nothing alive
})

test('an API that is to be started again is not, once the node stops', async () => {
  const { started, lines, api } = await keepFixture()
  started[0]?.die(new Error('a bug'))
  await setImmediate()
  assert.equal(lines.length, 1)
  await api.stop(1_000)
  await setTimeout(3 * TIMES.firstMs) // in which it would have come back
  assert.equal(started.length, 1)
})
