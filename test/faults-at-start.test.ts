// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { atEnd } from './at-end.ts'
import { collected } from './collected.ts'
import { type DaemonOptions, runDaemon, startDaemon, temporaryFolder } from './daemon-process.ts'
import { honeyRows } from './evidence.ts'
import { testWith } from './peers.ts'
import { unprivileged, unprivilegedInNetwork } from './privileges.ts'
import { udpClient } from './sip-client.ts'

/** Runs a daemon that must refuse to start: its exit code, its one line, and nothing on standard output. */
async function assertRefused(t: TestContext, options: DaemonOptions, code: number, message: RegExp): Promise<void> {
  const end = await runDaemon(t, options)
  assert.deepEqual(
    { code: end.code, signal: end.signal, stdout: end.stdout },
    { code, signal: null, stdout: '' },
    end.stderr,
  )
  assert.match(end.stderr, message)
  assert.match(end.stderr, code === 2 ? /^sentrypeer: .+\. .+\n$/ : /^sentrypeer: .+\. .+ \[[A-Z_]+\]\n$/m)
  assert.doesNotMatch(end.stderr, /this is a bug|\n {4}at /)
}

for (const [flags, message] of [
  [['--json'], /there is no flag --json\. Did you mean/],
  [['-Q'], /there is no flag -Q/],
  [['stray'], /"stray"/],
  [['-f'], /-f needs a value/],
  [['-f', '-j'], /-f needs a value/],
  [['-b', 'dht.example.org'], /-b also needs -p \(--peer-to-peer\)/],
  [['-i', 'id'], /-i also needs -c/],
  [['-c', 'secret'], /-c also needs -i/],
  [['-t', 'cert.pem'], /-t also needs -k/],
  [['--sip-listen', '127.0.0.1'], /--sip-listen must be ADDR:PORT, not "127.0.0.1"/],
  [['--sip-listen', '127.0.0.1:99999'], /--sip-listen must be ADDR:PORT/],
  [['--json-profile', 'seeds'], /--json-profile must be one of seed, tpot, not "seeds"/],
  [['-w', 'ftp://example.org'], /-w must be an http or https URL/],
] as const) {
  test(`the command line "${flags.join(' ')}" is refused with exit code 2 before anything is made`, async (t) => {
    const folder = await temporaryFolder(t)
    await assertRefused(t, { folder, flags: [...flags] }, 2, message)
    assert.deepEqual(await readdir(folder), [])
  })
}

for (const [text, message] of [
  ['verbose = true\nresponsive = yes\n', /settings\.toml:2:\d+: /],
  [
    'verbose = true\n\n[api]\nlisten = 8082\n',
    /settings\.toml:4: api_listen must be ADDR:PORT, not 8082\. For example: api_listen = "/,
  ],
  ['json_logfile = "x.log"\n', /settings\.toml:1: there is no setting json_logfile\. Did you mean json_log_file\?/],
  ['verbose = true\nverbose = false\n', /settings\.toml:2/],
  ['verbose = 1\n', /settings\.toml:1: verbose must be true or false, not 1/],
  ['db_sync = "fast"\n', /settings\.toml:1: db_sync must be one of normal, full/],
  [Buffer.from([0x76, 0xff, 0xfe]), /settings\.toml is not UTF-8 text/],
] as const) {
  test(`a config file with ${JSON.stringify(String(text))} is refused with its line and what to write`, async (t) => {
    const folder = await temporaryFolder(t)
    await writeFile(join(folder, 'settings.toml'), text)
    await assertRefused(t, { folder, flags: ['-g', 'settings.toml'] }, 1, message)
    assert.deepEqual(await readdir(folder), ['settings.toml'])
  })
}

test('a config file that is not there, or that may not be read, is named', async (t) => {
  const folder = await temporaryFolder(t)
  const options = { folder, flags: ['-g', 'settings.toml'], enter: unprivileged }
  await assertRefused(t, options, 1, /cannot read the config file settings\.toml: ENOENT/)
  await writeFile(join(folder, 'settings.toml'), '')
  await chmod(join(folder, 'settings.toml'), 0)
  await assertRefused(t, options, 1, /cannot read the config file settings\.toml: EACCES/)
})

for (const transport of ['UDP', 'TCP', 'TLS', 'HTTP'] as const) {
  testWith(['sqlite3'], `a port that another program has for ${transport} is named, and evidence stays`, async (t) => {
    const folder = await temporaryFolder(t)
    await collected(t, folder, 5)
    const port = transport === 'UDP' ? (await udpClient(t, 9)).port : await takenPort(t)
    const place = `127.0.0.1:${port}`
    const options: DaemonOptions = {
      UDP: { sip: [place] },
      TCP: { sip: [place] },
      TLS: { tls: [place] },
      HTTP: { api: place },
    }[transport]
    const flag = { UDP: '--sip-listen', TCP: '--sip-listen', TLS: '--tls-listen', HTTP: '--api-listen' }[transport]
    const what = transport === 'HTTP' ? '' : `SIP over ${transport}`
    const message = `cannot listen for ${what}.*on ${place}: EADDRINUSE\\..*ss -lntu?p.*${flag}`
    await assertRefused(t, { folder, ...options }, 1, new RegExp(message))
    assert.equal((await honeyRows(join(folder, 'sentrypeer.db'))).length, 5)
    assert.deepEqual(
      (await readdir(folder)).filter((name) => /-wal|-shm/.test(name)),
      [],
    )
  })
}

testWith(['namespaces'], 'port 5060 needs no privilege; below 1024 the missing one is named', async (t) => {
  const enter = (command: readonly string[]) => unprivilegedInNetwork(command)
  const daemon = await startDaemon(t, { sip: ['0.0.0.0:5060', '[::]:5060'], tls: ['0.0.0.0:5061'], enter })
  await daemon.stop()
  const message = /cannot listen for SIP over UDP on 0\.0\.0\.0:506: EACCES\..*CAP_NET_BIND_SERVICE.*--sip-listen/
  await assertRefused(t, { sip: ['0.0.0.0:506'], enter }, 1, message)
  const tlsMessage = /cannot listen for SIP over TLS on 0\.0\.0\.0:443: EACCES\..*CAP_NET_BIND_SERVICE.*--tls-listen/
  await assertRefused(t, { tls: ['0.0.0.0:443'], enter }, 1, tlsMessage)
})

test('an address that this machine does not have is named', async (t) => {
  const message = /cannot listen for SIP over UDP on 192\.0\.2\.77:0: EADDRNOTAVAIL\..*ip addr.*--sip-listen/
  await assertRefused(t, { sip: ['192.0.2.77:0'] }, 1, message)
})

testWith(['sqlite3'], 'a TLS key that may not be read is named, and evidence stays', async (t) => {
  const folder = await temporaryFolder(t)
  await collected(t, folder, 3)
  const daemon = await startDaemon(t, { folder, tls: ['127.0.0.1:0'] })
  await daemon.stop()
  await chmod(join(folder, 'key.pem'), 0)
  const message = /cannot read \.\/key\.pem: EACCES.*\..*-t and -k.* \[TLS_UNREADABLE\]/
  await assertRefused(t, { folder, tls: ['127.0.0.1:0'], enter: unprivileged }, 1, message)
  assert.equal((await honeyRows(join(folder, 'sentrypeer.db'))).length, 3)
})

test('a JSON log that cannot be written at start is named', async (t) => {
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, 'logs'), { mode: 0o500 })
  const message = /cannot write logs\/a\.log: EACCES.*\..*-l\. \[LOG_NOT_WRITABLE\]/
  await assertRefused(t, { folder, flags: ['-l', 'logs/a.log'], enter: unprivileged }, 1, message)
  await assertRefused(t, { folder, flags: ['-l', 'nowhere/a.log'] }, 1, /cannot write nowhere\/a\.log: ENOENT/)
})

async function takenPort(t: TestContext): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(t, () => server.close())
  const bound = server.address()
  return typeof bound === 'object' && bound !== null ? bound.port : assert.fail('a server has an address')
}
