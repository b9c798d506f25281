// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import manifest from '../package.json' with { type: 'json' }
import { getJson } from './api-client.ts'
import { type DaemonOptions, runDaemon, startDaemon, temporaryFolder } from './daemon-process.ts'
import { honeyRows, jsonLines } from './evidence.ts'
import { NODE_24, testWith } from './peers.ts'
import { run } from './run.ts'
import { sipRequest, tcpClient, udpClient } from './sip-client.ts'
import { startSyslogDaemon } from './syslog-daemon.ts'
import { waitFor } from './wait-for.ts'

// The package as its users get it: built, packed, installed from the tarball into an empty prefix, and run there by
// the Node.js that PATH finds. Made once for all tests of this file.

const ROOT = join(import.meta.dirname, '..')
const prefix = await mkdtemp(join(tmpdir(), 'sentrypeer-package-'))
after(() => rm(prefix, { recursive: true, force: true }))
await install()

const INSTALLED = join(prefix, 'lib/node_modules/sentrypeer')
const PROGRAM = join(prefix, 'bin/sentrypeer')
const SYSTEM_PATH = '/usr/bin:/bin'

for (const [series, node, peers] of [
  ['26', process.execPath, []],
  ['24', NODE_24, ['node24']],
] as const) {
  testWith(
    [...peers, 'sqlite3', 'rsyslogd'],
    `the installed package runs on Node.js ${series}, from start to reply to stop`,
    async (t) => {
      const folder = await temporaryFolder(t)
      const syslog = await startSyslogDaemon(t, folder)
      const daemon = await startDaemon(t, {
        ...programOn(node),
        folder,
        tls: ['127.0.0.1:0'],
        api: '127.0.0.1:0',
        flags: ['-rjs', '--syslog-socket', syslog.socket],
      })
      assert.equal(await readFile(`/proc/${daemon.pid}/comm`, 'utf8'), 'sentrypeer\n', 'the launcher is the daemon')
      assert.equal(await readFile(`/proc/${daemon.pid}/task/${daemon.pid}/children`, 'utf8').catch(() => ''), '')

      const udp = await udpClient(t, daemon.port('UDP'))
      const tcp = await tcpClient(t, daemon.port('TCP'))
      udp.send(sipRequest({ callId: 'by-udp' }))
      tcp.send(sipRequest({ callId: 'by-tcp', transport: 'TCP' }))
      await udp.answered('by-udp')
      await tcp.answered('by-tcp')
      assert.equal((await getJson(daemon.port('HTTP'), '/ip-addresses/127.0.0.1')).body.seen_count, '2')
      assert.equal((await getJson(daemon.port('HTTP'), '/health-check')).body['version'], manifest.version)
      await waitFor('the syslog lines', async () => (await syslog.lines()).length === 2)
      for (const { tag, message } of await syslog.lines()) {
        assert.deepEqual(
          [tag, message],
          [`sentrypeer[${daemon.pid}]:`, 'Source IP: 127.0.0.1, Method: OPTIONS, Agent: probe'],
        )
      }
      await daemon.stop()
      assert.equal((await honeyRows(join(folder, 'sentrypeer.db'))).length, 2)
      assert.equal((await jsonLines(join(folder, 'sentrypeer_json.log'))).length, 2)
    },
  )

  testWith(
    [...peers],
    `exit code and signal of the package on Node.js ${series} are those of the daemon`,
    async (t) => {
      const { code, stderr } = await runDaemon(t, { ...programOn(node), flags: ['--no-such-flag'] })
      assert.deepEqual(
        [code, stderr.split('\n')[0]],
        [2, 'sentrypeer: there is no flag --no-such-flag. "sentrypeer --help" lists every flag.'],
      )
      const killed = await startDaemon(t, programOn(node))
      await killed.kill()
      assert.equal((await killed.ended).signal, 'SIGKILL')
      const version = await run([PROGRAM, '--version'], { env: programOn(node).env })
      assert.deepEqual([version.code, version.stdout, version.stderr], [0, `sentrypeer ${manifest.version}\n`, ''])
    },
  )
}

test('the package brings no Node.js and no other package with it, and is small', async () => {
  const files = (await readdir(INSTALLED, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const folders = new Set(files.map(({ parentPath }) => parentPath.slice(INSTALLED.length + 1).split('/')[0]))
  assert.deepEqual([...folders].sort(), ['', 'LICENSES', 'bin', 'dist', 'docs', 'packaging'])
  const sizes = await Promise.all(files.map(({ parentPath, name }) => stat(join(parentPath, name))))
  const bytes = sizes.reduce((sum, { size }) => sum + size, 0)
  assert.ok(bytes < 8 * 1024 * 1024, `${bytes} bytes`)
  assert.deepEqual(await readdir(join(prefix, 'lib/node_modules')), ['sentrypeer'])
})

await testOldNode()

/** Debian's own Node.js, where that is older than we allow. */
async function testOldNode(): Promise<void> {
  const node = await run(['/usr/bin/node', '--version']).catch(() => null)
  const series = Number(/^v(\d+)\./.exec(node?.stdout ?? '')?.[1] ?? 99)
  if (series >= 24) return
  test(`Node.js ${series} is told in one line that it is too old`, async (t: TestContext) => {
    const { code, stdout, stderr } = await runDaemon(t, programOn('/usr/bin/node'))
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(
      stderr,
      new RegExp(`^sentrypeer: Node\\.js ${series}\\.[^\\n]* is too old, [^\\n]* is needed: [^\\n]*\\n$`),
    )
  })
}

function programOn(node: string): Required<Pick<DaemonOptions, 'program' | 'env'>> {
  return { program: [PROGRAM], env: { PATH: `${dirname(node)}:${SYSTEM_PATH}` } }
}

async function install(): Promise<void> {
  // None of the settings that `npm test` hands down to what it runs.
  const own = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))
  const env = { ...Object.fromEntries(own), PATH: `${dirname(process.execPath)}:${process.env['PATH']}` }
  for (const command of [
    ['npm', 'run', 'build'],
    ['npm', 'pack', '--pack-destination', prefix],
    ['npm', 'install', '--global', '--offline', '--prefix', prefix, join(prefix, `sentrypeer-${manifest.version}.tgz`)],
  ]) {
    const { code, stdout, stderr } = await run(command, { cwd: ROOT, env, withinMs: 120_000 })
    assert.equal(code, 0, `${command.join(' ')}\n${stdout}${stderr}`)
  }
}
