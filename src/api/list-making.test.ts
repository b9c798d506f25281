// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FromMaker, ListJob, ToMaker } from './list-job.ts'
import { createListMaking } from './list-making.ts'

const JOB: ListJob = { kind: 'blocklist', format: 'plain', query: { order: 'newest' }, ownAddresses: [] }

/** A making whose makers the test speaks for. */
function fixture(idleMs = 10) {
  const makers: { told: ToMaker[]; ended: boolean; tell: (message: FromMaker) => void; die: (error: Error) => void }[] =
    []
  const log: string[] = []
  const making = createListMaking(
    (tell, die) => {
      const maker = { told: [] as ToMaker[], ended: false, tell, die }
      makers.push(maker)
      return {
        post: (message) => void maker.told.push(message),
        async end() {
          maker.ended = true
        },
      }
    },
    idleMs,
    (text) => void log.push(text),
  )
  return { making, makers, log }
}

test('a maker starts with the first list and ends some time after the last one', async (t) => {
  const { making, makers } = fixture()
  assert.equal(making.isRunning(), false)
  const one = making.begin(JOB, false, () => {})
  const other = making.begin(JOB, true, () => {})
  assert.equal(makers.length, 1)
  one?.end()
  assert.equal(making.isRunning(), true)
  other?.end()
  await t.waitFor(() => assert.equal(making.isRunning(), false))
  assert.equal(makers[0]?.ended, true)
  assert.deepEqual(
    makers[0]?.told.map(({ kind, id }) => `${kind} ${id}`),
    ['begin 0', 'begin 1', 'end 0', 'end 1'],
  )
  making.begin(JOB, false, () => {})
  assert.equal(makers.length, 2)
  await making.stop()
})

test('a maker does not end while there is a list again', async () => {
  const { making, makers } = fixture(5)
  making.begin(JOB, false, () => {})?.end()
  making.begin(JOB, false, () => {})
  await new Promise((resolve) => setTimeout(resolve, 30)) // in which it would have ended
  assert.equal(makers[0]?.ended, false)
  await making.stop()
})

test('each list hears what is said of it, and nothing after its end', () => {
  const { making, makers } = fixture()
  const heard: string[] = []
  const one = making.begin(JOB, false, (message) => void heard.push(`one ${message.kind}`))
  making.begin(JOB, false, (message) => void heard.push(`other ${message.kind}`))
  makers[0]?.tell({ kind: 'none', id: 1 })
  one?.end()
  makers[0]?.tell({ kind: 'done', id: 0 })
  assert.deepEqual(heard, ['other none'])
})

test('lists fail with the maker that dies, and there is none for a second; then a new one is started', async (t) => {
  t.mock.method(performance, 'now', () => nowMs)
  let nowMs = 1_000
  const { making, makers, log } = fixture()
  const heard: FromMaker[] = []
  const list = making.begin(JOB, false, (message) => {
    heard.push(message)
    list?.end()
  })
  makers[0]?.die(new Error('out of memory'))
  assert.deepEqual(heard, [{ kind: 'failed', id: 0, reason: 'what makes lists failed' }])
  assert.match(log[0] ?? '', /please report this: Error: out of memory/)
  assert.equal(
    making.begin(JOB, false, () => {}),
    null,
  )
  nowMs += 1_000
  assert.notEqual(
    making.begin(JOB, false, () => {}),
    null,
  )
  makers[1]?.die(new Error('again'))
  nowMs += 1_000
  assert.equal(
    making.begin(JOB, false, () => {}),
    null,
  )
  nowMs += 1_000
  assert.notEqual(
    making.begin(JOB, false, () => {}),
    null,
  )
  assert.equal(makers.length, 3)
})
