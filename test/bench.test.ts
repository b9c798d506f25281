// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { createLoadInC } from '../bench/load.ts'
import { buildLoadProgram, type LoadProgram } from '../bench/load-program.ts'
import { startFloor } from '../bench/processes.ts'
import { atEnd } from './at-end.ts'
import { startDaemon, temporaryFolder } from './daemon-process.ts'
import { testWith } from './peers.ts'
import { run } from './run.ts'
import { waitFor } from './wait-for.ts'

// The load of the benchmarks, at a rate that any machine takes. Figures are not looked at.

const MESSAGES = 1_000
const SENDING = { rate: 2_000, count: MESSAGES, sources: 100 }
testWith(['cc'], 'what the benchmarks send is stored and answered, each message once', async (t) => {
  const load = createLoadInC(await build(t))
  const daemon = await startDaemon(t, { flags: ['-r', '--persona', 'asterisk'] })
  const { sent, replies, p50Ms, p99Ms } = await load.send({ ...SENDING, port: daemon.port('UDP'), replies: true })
  assert.deepEqual({ sent, replies }, { sent: MESSAGES, replies: MESSAGES })
  assert.ok(p50Ms > 0 && p50Ms <= p99Ms, `${p50Ms} ${p99Ms}`)
  const database = new DatabaseSync(join(daemon.folder, 'sentrypeer.db'), { readOnly: true })
  atEnd(t, () => database.close())
  const kept = database.prepare(
    `SELECT count(*) AS rows, count(DISTINCT sip_message) AS messages, count(DISTINCT source_ip) AS sources,
    count(DISTINCT called_number) AS numbers, count(fault) AS faults FROM honey`,
  )
  assert.deepEqual(
    { ...kept.get() },
    { rows: MESSAGES, messages: MESSAGES, sources: SENDING.sources, numbers: MESSAGES, faults: 0 },
  )
})

testWith(['cc'], 'streams and requests of the benchmarks come through', async (t) => {
  const load = createLoadInC(await build(t))
  const daemon = await startDaemon(t, { flags: ['-r'], api: '127.0.0.1:0' })
  const streaming = { port: daemon.port('TCP'), connections: 10, perConnection: 1, window: 1, count: 50, seconds: 20 }
  const streamed = await load.stream?.(streaming)
  assert.deepEqual([streamed?.sent, streamed?.replies, streamed?.failed], [50, 50, 0])
  for (const [path, numbers] of [
    ['/numbers/%d', 50],
    ['/ip-addresses', 1],
  ] as const) {
    const asking = { port: daemon.port('HTTP'), path, numbers, connections: 4, seconds: 20, count: 100 }
    const asked = await load.ask(asking)
    assert.ok(asked.requests >= 100 && asked.failed === 0 && asked.bytes > 0, `${path}: ${JSON.stringify(asked)}`)
  }
})

for (const [kind, counts] of [
  ['sink', 'received'],
  ['store', 'stored'],
] as const) {
  testWith(['cc'], `the floor that only does ${kind} takes and answers every message`, async (t) => {
    const program = await build(t)
    if (kind === 'store' && !program.hasSqlite) {
      assert.ok(!process.env['CI'], 'there is no sqlite3.h: run test/install-peers.sh as root')
      return t.skip('there is no sqlite3.h')
    }
    const file = kind === 'store' ? ['--file', join(await temporaryFolder(t), 'floor.db')] : []
    const floor = await startFloor([program.path, kind, '--replies', ...file], counts)
    atEnd(t, floor.stop)
    const { sent, replies } = await createLoadInC(program).send({ ...SENDING, port: floor.udpPort, replies: true })
    await waitFor('the floor to take all', async () => (await floor.taken()) === MESSAGES)
    assert.deepEqual({ sent, replies }, { sent: MESSAGES, replies: MESSAGES })
  })
}

testWith(['cc'], 'the load goes to loopback addresses and nowhere else', async (t) => {
  const { path } = await build(t)
  for (const command of ['send', 'tcp', 'http']) {
    for (const to of ['192.0.2.1:5060', '128.0.0.1:5060', '0.0.0.0:5060', 'localhost:5060', '127.0.0.1:0']) {
      const { code, stderr } = await run([path, command, '--to', to, '--count', '1', '--rate', '1'])
      assert.equal(code, 2, `${command} ${to}`)
      assert.match(stderr, /not a loopback address|not an IPv4 address and port/)
    }
  }
})

async function build(t: TestContext): Promise<LoadProgram> {
  const program = await buildLoadProgram(await temporaryFolder(t))
  if (typeof program === 'string') assert.fail(program)
  return program
}
