// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import manifest from '../package.json' with { type: 'json' }
import { helpText } from '../src/config/help.ts'
import { startDaemon } from '../test/daemon-process.ts'
import { buildBundle } from './build.ts'

const ROOT = join(import.meta.dirname, '..')

// What npm installs of the package to run it: no sources, no node_modules.
const installed = mkdtempSync(join(tmpdir(), 'sentrypeer-build-'))
const dist = join(installed, 'dist')
const launcher = join(installed, 'bin/sentrypeer')

before(async () => {
  await buildBundle(dist)
  cpSync(join(ROOT, 'bin'), join(installed, 'bin'), { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(installed, 'package.json'))
})
after(() => rmSync(installed, { recursive: true }))

function sentrypeer(...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, ...argv], { env: {}, encoding: 'utf8' })
  return { status, stdout, stderr }
}

test('the bundle lies flat: the program, its workers, what they share, and the notices', () => {
  const files = readdirSync(dist).filter((file) => !/^[\w-]+-[A-Z0-9]{8}\.js$/.test(file))
  assert.deepEqual(files.sort(), [
    'THIRD-PARTY-NOTICES.txt',
    'api-thread.js',
    'list-thread.js',
    'main.js',
    'writer-thread.js',
  ])
  assert(readdirSync(dist).every((file) => statSync(join(dist, file)).isFile()))
})

test('the bundle prints the version and the help of the sources', () => {
  assert.deepEqual(sentrypeer('--version'), { status: 0, stdout: `sentrypeer ${manifest.version}\n`, stderr: '' })
  assert.deepEqual(sentrypeer('--help'), { status: 0, stdout: helpText(manifest.version), stderr: '' })
})

test('the bundle refuses what the sources refuse', () => {
  const { status, stderr } = sentrypeer('--bogus')
  assert.deepEqual(
    [status, stderr],
    [2, 'sentrypeer: there is no flag --bogus. "sentrypeer --help" lists every flag.\n'],
  )
})

test('the bundle collects: store, sinks, SIP, TLS and API start from it and stop cleanly', async (t) => {
  const daemon = await startDaemon(t, {
    program: [process.execPath, launcher],
    tls: ['127.0.0.1:0'],
    api: '127.0.0.1:0',
    flags: ['-r', '-j'],
  })
  const api = `http://127.0.0.1:${daemon.port('HTTP')}`
  const health = await fetch(`${api}/health-check`)
  assert.equal(health.headers.get('x-sentrypeer-version'), manifest.version)
  assert.match(await (await fetch(`${api}/metrics`)).text(), /^# TYPE sentrypeer_/m)
  for (const [path, status] of [
    ['numbers/00123', 404],
    ['numbers/00123?examine=x', 400],
    ['nothing', 404],
    ['%zz', 400],
  ] as const) {
    assert.equal((await fetch(`${api}/${path}`)).status, status, path)
  }
  assert(existsSync(join(daemon.folder, 'cert.pem')))
  assert.equal((await daemon.stop()).code, 0)
})

test('what stands in package.json to be published is what the bundle needs', () => {
  for (const folder of ['bin', 'dist', 'docs', 'LICENSES']) assert(manifest.files.includes(folder), folder)
  assert.equal('dependencies' in manifest, false)
})

test('the notices name the packages whose code is in the bundle, with their licences', () => {
  const notices = readFileSync(join(dist, 'THIRD-PARTY-NOTICES.txt'), 'utf8')
  for (const name of ['smol-toml', 'fastify', 'prom-client', '@peculiar/x509', 'abstract-logging']) {
    assert.match(notices, new RegExp(`^-{80}\\n${name} [\\d.]+ \\([\\w.-]+\\)\\n\\n\\S`, 'm'), name)
  }
  assert.doesNotMatch(notices, /^(esbuild|typescript|fast-check) /m)
})

test('what Fastify brings along and the program never asks for is not in the bundle', () => {
  const text = readFileSync(join(dist, 'api-thread.js'), 'utf8')
  assert.match(text, /ajv-compiler is left out/) // the names are still those that Fastify asks for
  const notices = readFileSync(join(dist, 'THIRD-PARTY-NOTICES.txt'), 'utf8')
  assert.match(notices, /^fastify /m)
  assert.doesNotMatch(notices, /^(?:ajv|pino|light-my-request) /m)
})
