// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Log } from '../ops/log.ts'
import { eventOf, temporaryFolder } from '../store/sqlite/fixture.ts'
import { createFeed } from './feed.ts'
import { jsonlog } from './jsonlog.ts'
import type { Sink, SinkContext } from './sink.ts'
import { syslog } from './syslog.ts'

const application = { name: 'sentrypeer', version: '1.2.3' }

const CASES = [
  {
    what: 'a JSON log on a full disk',
    start: (_: TestContext, context: SinkContext) =>
      jsonlog.start({ enabled: true, file: '/dev/full', profile: 'seed' }, context),
    trouble: /ENOSPC/,
    reason: 'file_not_writable',
    lost: 'JSON log: 3 lines that /dev/full did not take are lost',
  },
  {
    what: 'a syslog that is not there',
    start: (t: TestContext, context: SinkContext) =>
      syslog.start({ enabled: true, socket: join(temporaryFolder(t), 'nobody') }, context),
    trouble: /not there|cannot connect/,
    reason: 'not_taken',
    lost: /^syslog: 3 lines that .*\/nobody did not take in time are lost$/,
  },
]

for (const { what, start, trouble, reason, lost } of CASES) {
  test(`${what} shows as failing, and what waits for it is not counted as delivered`, async (t) => {
    const { log, said } = capturingLog()
    const feed = createFeed((await start(t, { log, application })) ?? assert.fail(), log, () => performance.now())
    feed.offer([eventOf(), eventOf()])
    feed.offer([eventOf()])
    await t.waitFor(() => assert.match(feed.report().lastError ?? '', trouble))
    await t.waitFor(() => assert.equal(feed.report().queued, 3))
    assert.equal(feed.report().delivered, 0)
    await feed.stop(1_000)
    const { delivered, queued, dropped } = feed.report()
    assert.deepEqual([delivered, queued, dropped.get(reason)], [0, 0, 3])
    const last = said.at(-1) ?? ''
    if (typeof lost === 'string') assert.equal(last, lost)
    else assert.match(last, lost)
  })
}

test('a sink that tells of no trouble has delivered what its deliver resolved for', async (t) => {
  const sink: Sink = { name: 'plain', deliver: async () => {}, stop: async () => {} }
  const feed = createFeed(sink, capturingLog().log, () => 0)
  feed.offer([eventOf(), eventOf()])
  await t.waitFor(() => assert.equal(feed.report().delivered, 2))
  assert.deepEqual([feed.report().queued, feed.report().lastError], [0, null])
})

function capturingLog(): { log: Log; said: string[] } {
  const said: string[] = []
  const print = (text: string) => void said.push(text)
  return { log: { warn: print, notice: print, info: () => {}, debug: () => {} }, said }
}
