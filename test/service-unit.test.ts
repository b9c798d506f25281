// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, type TestContext } from 'node:test'
import { type DaemonOptions, runDaemon, startDaemon, temporaryFolder } from './daemon-process.ts'
import { honeyRows, jsonLines } from './evidence.ts'
import { openNotifySocket } from './notify-socket.ts'
import { NODE_24, testWith } from './peers.ts'
import { run } from './run.ts'
import { installBundle, NODE_24_DROP_IN, nodeOptionsOf, settingsOf, UNDER_FILTER, UNIT } from './service-unit.ts'
import { sipRequest, tcpClient, udpClient } from './sip-client.ts'
import { startSyslogDaemon } from './syslog-daemon.ts'
import { waitFor } from './wait-for.ts'

// The unit in packaging/systemd: what systemd itself says of it, and the built program with what the unit gives and
// leaves it. There is no systemd running where tests run, so the places that it makes are temporary folders here.

const MAX_EXPOSURE_TENTHS = 20

const prefix = await mkdtemp(join(tmpdir(), 'sentrypeer-unit-'))
after(() => rm(prefix, { recursive: true, force: true }))
await installBundle(prefix)

testWith(['systemd-analyze'], 'systemd finds no fault in the unit', async () => {
  const { code, stdout, stderr } = await run(['systemd-analyze', 'verify', UNIT])
  assert.deepEqual([code, stdout, stderr], [0, '', ''])
})

testWith(['systemd-analyze'], 'systemd rates the exposure of the unit at 2.0 or less', async () => {
  const security = ['systemd-analyze', 'security', '--no-pager', '--offline=true']
  const { code, stdout } = await run([...security, `--threshold=${MAX_EXPOSURE_TENTHS}`, UNIT])
  const rated = /Overall exposure level for sentrypeer\.service: (\d+\.\d)/.exec(stdout)?.[1]
  assert.ok(Number(rated) * 10 <= MAX_EXPOSURE_TENTHS, stdout)
  assert.equal(code, 0)
})

for (const [series, node, peers, options, udpWay] of [
  ['26', process.execPath, [], UNIT, /^Datagrams to 127\.0\.0\.1:0 are read by recvmmsg/m],
  ['24', NODE_24, ['node24'], NODE_24_DROP_IN, /^Datagrams to 127\.0\.0\.1:0 are read by node:dgram/m],
] as const) {
  testWith(
    ['python3', 'rsyslogd', 'sqlite3', 'systemd-analyze', ...peers],
    `the built program does all its work on Node.js ${series} with what the unit leaves it`,
    async (t) => {
      const place = await places(t)
      const syslog = await startSyslogDaemon(t, place.outside)
      const manager = await openNotifySocket(t, place.notify)
      const daemon = await startDaemon(t, {
        ...(await confined(place, node, options, syslog.socket)),
        tls: ['127.0.0.1:0'],
        api: '127.0.0.1:0',
        flags: ['-rsd', '--syslog-socket', syslog.socket, '-l', place.jsonLog],
      })
      await waitFor('READY=1', () => manager.told('READY=1').length === 1, { state: daemon.stderr })
      await waitFor('a meal of the watchdog', () => manager.told('WATCHDOG=1').length > 0, { state: daemon.stderr })

      assert.match(await readFile(`/proc/${daemon.pid}/status`, 'utf8'), /^Seccomp:\t2$/m, 'the filter is on')
      const udp = await udpClient(t, daemon.port('UDP'))
      udp.send(sipRequest({ callId: 'by-udp' }))
      await udp.answered('by-udp')
      await waitFor('the line in the JSON log', async () => (await jsonLines(place.jsonLog)).length === 1)
      await rename(place.jsonLog, `${place.jsonLog}.1`)
      daemon.signal('SIGHUP')
      await waitFor('the logs to be opened again', () => manager.told('READY=1').length === 2)
      const tcp = await tcpClient(t, daemon.port('TCP'))
      tcp.send(sipRequest({ callId: 'by-tcp', transport: 'TCP' }))
      await tcp.answered('by-tcp')
      await waitFor('the syslog lines', async () => (await syslog.lines()).length === 2)

      const { stderr } = await daemon.stop()
      assert.match(stderr, udpWay)
      await waitFor('STOPPING=1', () => manager.told('STOPPING=1').length === 1)
      assert.doesNotMatch(stderr, /\(node:\d+\) \w*Warning|restricted|syslog/)
      assert.equal((await honeyRows(join(place.state, 'sentrypeer.db'))).length, 2)
      assert.deepEqual(
        [(await jsonLines(`${place.jsonLog}.1`)).length, (await jsonLines(place.jsonLog)).length],
        [1, 1],
      )
      const modeOf = async (file: string) => ((await stat(file)).mode & 0o777).toString(8)
      assert.equal(await modeOf(join(place.state, 'key.pem')), '600')
      assert.equal(await modeOf(join(place.state, 'sentrypeer.db')), '640')
      assert.equal(await modeOf(place.jsonLog), '640')
    },
  )

  testWith(
    ['python3', 'systemd-analyze', ...peers],
    `with the flags of the unit Node.js ${series} reads and writes nothing outside of the service's folders`,
    async (t) => {
      const place = await places(t)
      const secret = join(place.outside, 'passwords')
      await writeFile(secret, '1234\n')
      const started = await confined(place, node, options, '/dev/log')
      const read = await runDaemon(t, { ...started, flags: ['-r', '--weak-passwords', secret] })
      assert.equal(read.code, 1)
      assert.match(read.stderr, /restricted[^\n]*\[FILE_UNREADABLE\]/)
      const written = await runDaemon(t, { ...started, flags: ['-f', join(place.outside, 'x.db')] })
      assert.equal(written.code, 1)
      assert.match(written.stderr, /restricted[^\n]*\[DB_NOT_WRITABLE\]/)
    },
  )
}

testWith([], 'a drop-in for Node.js 24 gives the same folders and the same memory', async () => {
  const shared = async (file: string) =>
    (await nodeOptionsOf(file, new Map())).split(' ').filter((flag) => !/^--allow-(net|ffi|child-process)$/.test(flag))
  assert.deepEqual(await shared(NODE_24_DROP_IN), await shared(UNIT))
})

testWith([], 'the folders that Node.js may use are those that systemd makes for the service', async () => {
  const options = await nodeOptionsOf(UNIT, new Map())
  const writable = options.split(' ').filter((flag) => flag.startsWith('--allow-fs-write='))
  assert.deepEqual(writable, [
    ...(await settingsOf(UNIT, 'StateDirectory')).map((name) => `--allow-fs-write=/var/lib/${name}/*`),
    ...(await settingsOf(UNIT, 'LogsDirectory')).map((name) => `--allow-fs-write=/var/log/${name}/*`),
  ])
  const sysusers = await readFile(join(dirname(UNIT), 'sentrypeer.sysusers'), 'utf8')
  for (const user of await settingsOf(UNIT, 'User')) assert.match(sysusers, new RegExp(`^u ${user} `, 'm'))
})

interface Places {
  readonly state: string
  readonly logs: string
  readonly jsonLog: string
  /** Where the service may not go. */
  readonly outside: string
  readonly notify: string
}

/** Stand-ins for what systemd makes, beside a folder that it does not give. */
async function places(t: TestContext): Promise<Places> {
  const folder = await temporaryFolder(t)
  const [state, logs, outside] = ['state', 'logs', 'outside'].map((name) => join(folder, name))
  if (state === undefined || logs === undefined || outside === undefined) throw new Error('three names make three')
  for (const made of [state, logs, outside]) await mkdir(made)
  return { state, logs, jsonLog: join(logs, 'events.json'), outside, notify: join(outside, 'notify') }
}

/** ExecStart of the unit, with its flags for Node.js, its filter of system calls and its umask. */
async function confined(
  { state, logs, notify }: Places,
  node: string,
  options: string,
  syslogSocket: string,
): Promise<DaemonOptions & Required<Pick<DaemonOptions, 'folder' | 'env'>>> {
  const moved = new Map([
    ['/usr/lib/node_modules', join(prefix, 'lib/node_modules')],
    ['/var/lib/sentrypeer', state],
    ['/var/log/sentrypeer', logs],
    ['/dev/log', syslogSocket],
  ])
  const [execStart = ''] = await settingsOf(UNIT, 'ExecStart')
  const [umask = ''] = await settingsOf(UNIT, 'UMask')
  const filters = await settingsOf(UNIT, 'SystemCallFilter')
  const allowed = filters.filter((filter) => !filter.startsWith('~')).join(' ')
  const refused = filters
    .filter((filter) => filter.startsWith('~'))
    .map((filter) => filter.slice(1))
    .join(' ')
  return {
    folder: state,
    env: {
      PATH: `${join(prefix, 'bin')}:${dirname(node)}:/usr/bin:/bin`,
      NODE_OPTIONS: await nodeOptionsOf(options, moved),
      XDG_CONFIG_HOME: '/etc',
      NOTIFY_SOCKET: notify,
      WATCHDOG_USEC: '1000000',
    },
    program: execStart.split(' '),
    enter: (command) => [
      'sh',
      '-c',
      `umask ${umask} && exec python3 "$@"`,
      'sh',
      '-c',
      UNDER_FILTER,
      allowed,
      refused,
      ...command,
    ],
  }
}
