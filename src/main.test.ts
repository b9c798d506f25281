// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import manifest from '../package.json' with { type: 'json' }
import { helpText } from './config/help.ts'

const LAUNCHER = join(import.meta.dirname, '../bin/sentrypeer')
const folder = mkdtempSync(join(tmpdir(), 'sentrypeer-main-'))
after(() => rmSync(folder, { recursive: true }))

/** Runs the command in an empty folder with nothing in its environment but `env`. */
function sentrypeer(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [LAUNCHER, ...argv], {
    cwd: folder,
    env: { HOME: folder, ...env },
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

for (const flag of ['-h', '--help']) {
  test(`${flag} prints the help on stdout, and nothing else anywhere`, () => {
    assert.deepEqual(sentrypeer([flag]), { status: 0, stdout: helpText(manifest.version), stderr: '' })
  })
}

for (const flag of ['-V', '--version']) {
  test(`${flag} prints the version of package.json`, () => {
    assert.deepEqual(sentrypeer([flag]), { status: 0, stdout: `sentrypeer ${manifest.version}\n`, stderr: '' })
  })
}

test('help is given in spite of everything else on the command line', () => {
  assert.equal(sentrypeer(['--bogus', '-h'], { SENTRYPEER_API_LISTEN_ADDRESS: 'x' }).status, 0)
})

test('"config check" prints settings with who set them, and warns on stderr', () => {
  const { status, stdout, stderr } = sentrypeer(['config', 'check', '-r'], { SENTRYPEER_CERT: 'x.pem' })
  assert.equal(status, 0)
  assert.match(stdout, /^responsive = true {2}# flag -r$/m)
  assert.match(stdout, /^tls_cert = "x\.pem" {2}# SENTRYPEER_CERT$/m)
  assert.match(stderr, /^warning: SENTRYPEER_CERT sets tls-cert without tls-key: [^\n]+\n$/)
})

test('"config check" reads a real file and names the line that is wrong', () => {
  const file = join(folder, 'wrong.toml')
  writeFileSync(file, '# settings\n[api]\nlisten = "x"\n')
  assert.deepEqual(sentrypeer(['config', 'check', '-g', file]), {
    status: 1,
    stdout: '',
    stderr: `sentrypeer: ${file}:3: api_listen must be ADDR:PORT, not "x". For example: api_listen = "127.0.0.1:8082" [CONFIG_INVALID]\n`,
  })
})

test('"config check" reads the files that settings name', () => {
  const { status, stderr } = sentrypeer(['config', 'check', '--weak-passwords', '/nowhere/at.all'])
  assert.equal(status, 1)
  assert.match(stderr, /cannot read \/nowhere\/at\.all: ENOENT.*\[FILE_UNREADABLE\]/)
})

test('"config check" refuses an API that is open to everyone, as the start does', () => {
  for (const command of [['config', 'check'], []]) {
    const { status, stdout, stderr } = sentrypeer([...command, '-a', '--api-listen', '0.0.0.0:9'])
    assert.deepEqual([status, stdout], [1, ''])
    assert.match(
      stderr,
      /^sentrypeer: the REST API would answer anyone who reaches 0\.0\.0\.0\. .* \[API_NEEDS_KEY\]\n$/,
    )
  }
})

test('"api-key" prints a key that the setting takes', () => {
  const { status, stdout } = sentrypeer(['api-key'])
  assert.equal(status, 0)
  const line = /api_key = .*$/m.exec(stdout)?.[0] ?? ''
  const file = join(folder, 'key.toml')
  writeFileSync(file, line)
  assert.match(sentrypeer(['config', 'check', '-g', file]).stdout, /^api_key = \(set\) {2}#/m)
})

for (const [argv, env, status, stderr] of [
  [['--bogus'], {}, 2, /^sentrypeer: there is no flag --bogus\. "sentrypeer --help" lists every flag\.\n$/],
  [['stray'], {}, 2, /^sentrypeer: there is no subcommand "stray"\. .*--help.*\n$/],
  [['-f'], {}, 2, /^sentrypeer: -f needs a value\. .*--help.*\n$/],
  [['-b', 'x'], {}, 2, /^sentrypeer: -b also needs -p \(--peer-to-peer\)\. .*--help.*\n$/],
  [['-z', '\u001b[2J'], {}, 2, /^sentrypeer: -z must be ADDR:PORT, not "\\u001b\[2J"\. .*--help.*\n$/],
  [[], { SENTRYPEER_API_LISTEN_ADDRESS: '8082' }, 1, /^sentrypeer: SENTRYPEER_API_LISTEN_ADDRESS must be ADDR:PORT/],
  [
    ['-g', 'none.toml'],
    {},
    1,
    /^sentrypeer: cannot read the config file none\.toml: ENOENT[^\n]*\. Check .* \[CONFIG_UNREADABLE\]\n$/,
  ],
] as const) {
  test(`"sentrypeer ${JSON.stringify(argv)}" with ${JSON.stringify(env)} exits with ${status}`, () => {
    const run = sentrypeer(argv, env)
    assert.deepEqual([run.status, run.stdout], [status, ''])
    assert.match(run.stderr, stderr)
  })
}

test('a command that goes wrong leaves no file behind', () => {
  const before = readdirSync(folder)
  sentrypeer(['--bogus'])
  sentrypeer(['-g', 'none.toml'])
  assert.deepEqual(readdirSync(folder), before)
})

test('a reader of stdout that goes away is no error', async () => {
  const child = spawn(process.execPath, [LAUNCHER, '--help'], { env: {}, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', (bytes) => {
    stderr += bytes
  })
  const [status] = await once(child, 'close')
  assert.deepEqual([status, stderr], [0, ''])
})

test('with -d and a stderr that nobody reads, lines are left out instead of kept, and their number is told', async (t) => {
  const place = mkdtempSync(join(folder, 'unread-'))
  const argv = [LAUNCHER, '-d', '--tls-disable', '--sip-listen', '127.0.0.1:0']
  const child = spawn(process.execPath, argv, { cwd: place, env: { HOME: place }, stdio: ['ignore', 'ignore', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  const ended = once(child, 'close')
  let stderr = ''
  const port = await new Promise<number>((resolve) => {
    child.stderr.on('data', (bytes) => {
      stderr += bytes
      const found = /incoming TCP connections\.\.\. 127\.0\.0\.1:(\d+)/.exec(stderr)
      if (found) resolve(Number(found[1]))
    })
  })
  child.stderr.pause()
  stderr = ''
  const caller = connect(port, '127.0.0.1')
  const message = `OPTIONS sip:100@example.org SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\nX: ${'x'.repeat(8_000)}\r\nContent-Length: 0\r\n\r\n`
  caller.end(message.repeat(1_000))
  caller.resume()
  await once(caller, 'close') // the daemon closes once it has read all of them
  child.stderr.resume()
  child.kill('SIGTERM')
  assert.deepEqual(await ended, [0, null])
  assert.match(stderr, /^Lines not printed because nobody read this log: \d+$/m)
  assert.ok(stderr.length < 2 * 1024 * 1024, `${stderr.length} characters were kept`)
})
