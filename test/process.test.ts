// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { startDaemon, temporaryFolder } from './daemon-process.ts'
import { testWith } from './peers.ts'
import { NET_BIND_SERVICE_ONLY, unprivilegedInNetwork } from './privileges.ts'
import { settingsOf, UNIT } from './service-unit.ts'
import { sipRequest, udpClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

// What the process may do, and what it leaves for others to read.

const SECRET = 'client-secret-0123456789'

testWith(['namespaces'], 'CAP_NET_BIND_SERVICE is the one capability that ports below 1024 need', async (t) => {
  const enter = (command: readonly string[]) => unprivilegedInNetwork(command, NET_BIND_SERVICE_ONLY)
  const daemon = await startDaemon(t, { sip: ['0.0.0.0:506'], tls: ['0.0.0.0:443'], api: '127.0.0.1:80', enter })
  const status = await readFile(`/proc/${daemon.pid}/status`, 'latin1')
  assert.match(status, /^CapEff:\t0000000000000400$/m) // bit 10, capabilities(7)
  assert.match(status, /^NoNewPrivs:\t1$/m)
  await daemon.stop()
})

test('database, logs and TLS key are for nobody but their owner and group, whatever the umask is', async (t) => {
  const folder = await temporaryFolder(t)
  const enter = (command: readonly string[]) => ['sh', '-c', 'umask 000 && exec "$@"', 'sh', ...command]
  const daemon = await startDaemon(t, { folder, enter, tls: ['127.0.0.1:0'], flags: ['-rj'] })
  const client = await udpClient(t, daemon.port('UDP'))
  client.send(sipRequest({ callId: 'one' }))
  await client.answered('one')
  const modes = async () =>
    Object.fromEntries(
      await Promise.all(
        (await readdir(folder)).map(async (name) => [
          name,
          ((await stat(join(folder, name))).mode & 0o777).toString(8),
        ]),
      ),
    )
  assert.deepEqual(await modes(), {
    'cert.pem': (await modes())['cert.pem'], // a certificate is for everybody
    'key.pem': '600',
    'sentrypeer.db': '640',
    'sentrypeer.db-shm': '640',
    'sentrypeer.db-wal': '640',
    'sentrypeer_json.log': '640',
  })
})

test('a secret that was given as a flag is not in the list of processes', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-i', 'client-id', '-c', SECRET] })
  const line = () => readFile(`/proc/${daemon.pid}/cmdline`, 'latin1')
  await waitFor('another title', async () => (await line()).startsWith('sentrypeer'))
  assert.doesNotMatch(await line(), new RegExp(SECRET))
  assert.doesNotMatch(daemon.stderr(), new RegExp(SECRET))
})

test('a crash under the limit of the systemd unit leaves no core file and no report', async (t) => {
  assert.deepEqual(await settingsOf(UNIT, 'LimitCORE'), ['0'])
  const enter = (command: readonly string[]) => ['sh', '-c', 'ulimit -c 0 && exec "$@"', 'sh', ...command]
  const daemon = await startDaemon(t, { enter })
  assert.match(await readFile(`/proc/${daemon.pid}/limits`, 'latin1'), /^Max core file size +0 +0 /m)
  const before = await readdir(daemon.folder)
  daemon.signal('SIGABRT')
  const { signal } = await daemon.ended
  assert.equal(signal, 'SIGABRT')
  assert.deepEqual((await readdir(daemon.folder)).sort(), before.sort())
})
