// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createQuestion } from './ask-main.ts'

const TIMES = { deadlineMs: 20 }

function question(answer: (told: (value: string) => void) => void) {
  let asked = 0
  let aheadMs = 0
  const one = createQuestion<string>(
    () => {
      asked++
      answer(one.told)
    },
    'first',
    TIMES,
    () => performance.now() + aheadMs,
  )
  return {
    ...one,
    asked: () => asked,
    later: (ms: number) => {
      aheadMs += ms
    },
  }
}

test('who asks while a question is on its way waits for its answer, and who comes later asks anew', async () => {
  let n = 0
  const { read, asked } = question((told) => setImmediate(() => told(String(++n))))
  assert.deepEqual(await Promise.all([read(), read()]), [
    { value: '1', silentMs: 0 },
    { value: '1', silentMs: 0 },
  ])
  assert.equal((await read()).value, '2')
  assert.equal(asked(), 2)
})

test('who asks a silent thread gets what it told last, and hears how long it has been silent', async () => {
  const { read, told, asked, later } = question(() => {})
  const first = await read()
  assert.equal(first.value, 'first')
  assert.ok(first.silentMs > 0, String(first.silentMs))
  later(5_000)
  const second = await read()
  assert.ok(second.silentMs >= 5_000)
  assert.equal(asked(), 1)
  told('at last')
  const third = await read()
  assert.equal(third.value, 'at last')
  assert.ok(third.silentMs < 5_000, 'it has answered since')
})

test('once the deadline of a question has passed nobody waits for it any more', async () => {
  const { read, later } = question(() => {})
  await read()
  later(1_000)
  let waited = false
  setImmediate(() => {
    waited = true
  })
  await read()
  assert.equal(waited, false)
})
