// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { copyFile, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type DaemonProcess, startDaemon, temporaryFolder } from './daemon-process.ts'
import { assertSameIds, callIdOf, honeyRows, jsonLines } from './evidence.ts'
import { startLoad } from './load.ts'
import { testWith } from './peers.ts'
import { sipRequest, udpClient } from './sip-client.ts'
import { startSyslogDaemon } from './syslog-daemon.ts'
import { waitFor } from './wait-for.ts'

for (const [how, rotate] of [
  [
    'a rename and SIGHUP',
    async (log: string, daemon: DaemonProcess) => {
      await rename(log, `${log}.1`)
      daemon.signal('SIGHUP')
    },
  ],
  ['a rename without a signal', (log: string) => rename(log, `${log}.1`)],
] as const) {
  testWith(['sqlite3'], `a rotation of the JSON log by ${how} under load loses and tears no line`, async (t) => {
    const daemon = await startDaemon(t, { flags: ['-rj'] })
    const log = join(daemon.folder, 'sentrypeer_json.log')
    const load = await startLoad(t, daemon, 'rotate')
    await waitFor('some answers', () => load.answered().length > 100)
    await rotate(log, daemon)
    const before = load.answered().length
    await waitFor('more answers', () => load.answered().length > before + 100)
    load.stop()
    await daemon.stop()
    const [old, fresh] = [await jsonLines(`${log}.1`), await jsonLines(log)]
    assert.ok(old.length > 0 && fresh.length > 0, `${old.length} lines before, ${fresh.length} after`)
    const rows = await honeyRows(join(daemon.folder, 'sentrypeer.db'))
    assertSameIds(
      [...old, ...fresh].map((line) => line['event_uuid'] ?? ''),
      rows.map((row) => row.event_uuid),
      'both',
    )
  })
}

test('copytruncate and the removal of the JSON log lose nothing that comes afterwards', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-rj'] })
  const log = join(daemon.folder, 'sentrypeer_json.log')
  const client = await udpClient(t, daemon.port('UDP'))
  const loggedCalls = async (file: string) => (await jsonLines(file)).map((line) => callIdOf(line['sip_message'] ?? ''))
  const probe = async (callId: string) => {
    client.send(sipRequest({ callId }))
    await waitFor('the line', async () => (await loggedCalls(log).catch((): string[] => [])).includes(callId))
  }
  await probe('one')
  await copyFile(log, `${log}.1`)
  await truncate(log)
  await probe('two')
  assert.deepEqual([await loggedCalls(`${log}.1`), await loggedCalls(log)], [['one'], ['two']])
  await rm(log)
  await probe('three')
  assert.deepEqual(await loggedCalls(log), ['three'])
})

test('a line that a crash left half written does not swallow the next one', async (t) => {
  const folder = await temporaryFolder(t)
  const log = join(folder, 'sentrypeer_json.log')
  await writeFile(log, '{"whole":"line"}\n{"app_name":"sentr')
  const daemon = await startDaemon(t, { folder, flags: ['-rj'] })
  const client = await udpClient(t, daemon.port('UDP'))
  client.send(sipRequest({ callId: 'after' }))
  await client.answered('after')
  await daemon.stop()
  await (await startDaemon(t, { folder, flags: ['-rj'] })).stop() // and a whole last line is left alone
  assert.match(
    await readFile(log, 'utf8'),
    /^\{"whole":"line"\}\n\{"app_name":"sentr\n\{"app_name":"sentrypeer",.*\}\n$/,
  )
})

testWith(
  ['rsyslogd'],
  'a syslog that is not there yet is told once and gets every line, in order, when it comes',
  async (t) => {
    const folder = await temporaryFolder(t)
    const socket = join(folder, 'log')
    const daemon = await startDaemon(t, { folder, flags: ['-rs', '--syslog-socket', socket] })
    await daemon.said(/^syslog: .*\/log is not there; lines wait until it is \(10000 at most\)$/m)
    const client = await udpClient(t, daemon.port('UDP'))
    const probe = async (agent: string) => {
      client.send(sipRequest({ callId: agent, agent }))
      await client.answered(agent)
    }
    const agents = async () => (await syslog.lines()).map(({ message }) => /Agent: (.*)$/.exec(message)?.[1])
    const names = Array.from({ length: 30 }, (_, at) => `early-${at}`)
    for (const name of names) await probe(name)

    const syslog = await startSyslogDaemon(t, folder)
    await waitFor('the lines that waited', async () => (await syslog.lines()).length === 30)
    assert.deepEqual(await agents(), names)
    await daemon.said(/^syslog: .*\/log takes lines again$/m)
    await probe('late')
    await waitFor('the next line', async () => (await agents()).includes('late'))

    await syslog.stop() // as a restart of the service
    await probe('between')
    const again = await startSyslogDaemon(t, folder)
    await waitFor('the line that waited', async () => (await agents()).includes('between'))
    assert.equal((await again.lines()).length, 32)
    const { stderr } = await daemon.stop()
    assert.equal(stderr.match(/^syslog: .*(?:not there|cannot|takes no lines)/gm)?.length, 1, stderr)
  },
)

testWith(
  ['rsyslogd'],
  'what an attacker writes into User-Agent stays on one syslog line, behind our own words',
  async (t) => {
    const folder = await temporaryFolder(t)
    const syslog = await startSyslogDaemon(t, folder)
    const daemon = await startDaemon(t, { folder, flags: ['-r', '-s', '--syslog-socket', syslog.socket] })
    const client = await udpClient(t, daemon.port('UDP'))
    const agent = 'a\u001b[2J\u2028<13>root: Source IP: 198.51.100.1, Method: x \u202e \u0000 %n%s ü \u0085'
    client.send(sipRequest({ callId: 'hostile', agent }))
    const [line] = await waitFor('the line', async () => {
      const lines = await syslog.lines()
      return lines.length > 0 ? lines : null
    })
    assert.equal(line?.priority, 'user.notice')
    assert.equal(line?.tag, `sentrypeer[${daemon.pid}]:`)
    assert.match(
      line?.message ?? '',
      /^Source IP: 127\.0\.0\.1, Method: OPTIONS, Agent: a\\u\{1b\}\[2J\\u\{2028\}<13>root: Source IP\\u\{3a\} 198/,
    )
    assert.doesNotMatch(line?.message ?? '', /[\u0000-\u001f\u007f-\u009f\u2028\u202e]/)
  },
)
