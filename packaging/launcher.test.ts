// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { accessSync, constants, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { transform } from 'esbuild'
import manifest from '../package.json' with { type: 'json' }

const ROOT = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'sentrypeer-launcher-'))
after(() => rmSync(folder, { recursive: true }))

const SAY_RAN = "console.log('ran with', process.pid, String(process.argv.slice(2)))"

/** The launcher in a place of its own, with a program that says that it ran. */
function install(name: string, program: 'src/main.ts' | 'dist/main.js', engines: string, text = SAY_RAN): string {
  const place = join(folder, name)
  cpSync(join(ROOT, 'bin'), join(place, 'bin'), { recursive: true })
  writeFileSync(join(place, 'package.json'), JSON.stringify({ type: 'module', engines: { node: engines } }))
  mkdirSync(join(place, program, '..'), { recursive: true })
  writeFileSync(join(place, program), text)
  return join(place, 'bin/sentrypeer')
}

/** Runs a launcher on a Node.js that calls itself `version`. */
function launch(launcher: string, version: string) {
  const disguise = join(folder, 'disguise.cjs')
  writeFileSync(disguise, "Object.defineProperty(process, 'versions', { value: { node: process.env.AS_VERSION } })")
  const run = spawnSync(process.execPath, ['--require', disguise, launcher, '-a', 'b'], {
    env: { AS_VERSION: version },
    encoding: 'utf8',
  })
  return { pid: run.pid, status: run.status, stdout: run.stdout, stderr: run.stderr }
}

const RANGE = '^24.21.0 || >=26.10.0'
const clone = install('clone', 'src/main.ts', RANGE)
const package_ = install('package', 'dist/main.js', RANGE)

for (const version of ['24.21.0', '24.22.3', '26.10.0', '26.11.0', '27.0.0', '27.0.0-nightly20261101', '126.0.0']) {
  test(`Node.js ${version} runs the program in the same process, with its arguments`, () => {
    for (const launcher of [clone, package_]) {
      const { pid, status, stdout, stderr } = launch(launcher, version)
      assert.deepEqual([status, stdout, stderr], [0, `ran with ${pid} -a,b\n`, ''])
    }
  })
}

for (const version of ['8.17.0', '18.20.8', '20.20.2', '22.21.1', '24.20.9', '25.9.0', '26.0.0', '26.9.9']) {
  test(`Node.js ${version} is told in one line that it is too old`, () => {
    const { status, stdout, stderr } = launch(clone, version)
    assert.deepEqual([status, stdout], [1, ''])
    assert.equal(
      stderr,
      `sentrypeer: Node.js ${version} (${process.execPath}) is too old, 24.21.0 or newer of the 24 series, or 26.10.0 or newer is needed: in a clone use "npm start", or put ${join(folder, 'clone/node_modules/.bin')} first in PATH\n`,
    )
  })
}

test('outside of a clone the advice is to install a newer Node.js', () => {
  const { status, stderr } = launch(package_, '20.0.0')
  assert.equal(status, 1)
  assert.match(stderr, /^[^\n]+: install a newer one \(https:\/\/nodejs\.org\)\n$/)
})

test('the range that package.json states takes the Node.js that runs this test', () => {
  assert.equal(launch(install('stated', 'dist/main.js', manifest.engines.node), process.versions.node).status, 0)
})

for (const signal of ['SIGTERM', 'SIGINT']) {
  const raise = `process.kill(process.pid, '${signal}'); setTimeout(() => process.exit(9), 60_000)`

  test(`${signal} before the program listens for it is a clean end`, () => {
    const { status, stdout, stderr } = launch(install(`early-${signal}`, 'dist/main.js', RANGE, raise), '26.10.0')
    assert.deepEqual([status, stdout, stderr], [0, '', ''])
  })

  test(`${signal} is the program's own once it listens for it`, () => {
    const listens = `process.on('${signal}', () => process.exit(7)); ${raise}`
    assert.equal(launch(install(`late-${signal}`, 'dist/main.js', RANGE, listens), '26.10.0').status, 7)
  })
}

const SAY_FLAGS = 'console.log(process.execArgv.filter((flag) => /size/.test(flag)).join(" "))'

/** The flags about sizes that the program runs with. */
function heapFlags(nodeFlags: readonly string[], args: readonly string[], nodeOptions = ''): string {
  const launcher = install('heap', 'dist/main.js', RANGE, SAY_FLAGS)
  const env = { NODE_OPTIONS: nodeOptions }
  const { stdout, stderr } = spawnSync(process.execPath, [...nodeFlags, launcher, ...args], { env, encoding: 'utf8' })
  assert.equal(stderr, '')
  return stdout.trim()
}

test('the heap of a daemon is limited by what the machine has', () => {
  const [, megabytes] = /^--max-old-space-size=(\d+) --max-semi-space-size=8$/.exec(heapFlags([], ['-ra'])) ?? []
  assert.ok(Number(megabytes) >= 96 && Number(megabytes) <= 256, `${megabytes} MB`)
})

test('malloc() keeps less for later, as far as nobody has set how much', () => {
  const script = 'console.log(process.env.MALLOC_ARENA_MAX, process.env.MALLOC_TRIM_THRESHOLD_)'
  const launcher = install('malloc', 'dist/main.js', RANGE, script)
  const told = (env: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, [launcher, '-ra'], { env, encoding: 'utf8' }).stdout.trim()
  assert.equal(told({}), '2 131072')
  assert.equal(told({ MALLOC_ARENA_MAX: '7' }), '7 131072')
})

test('limits of the heap that somebody has set are left as they are', () => {
  assert.equal(heapFlags(['--max-old-space-size=900'], ['-ra']), '--max-old-space-size=900')
  assert.equal(heapFlags([], ['-ra'], '--max-old-space-size=900'), '')
  assert.equal(heapFlags(['--max_semi_space_size=3'], ['-ra']), '--max_semi_space_size=3')
})

test('a command that is over at once begins only once', () => {
  for (const argument of ['--help', '-V', 'api-key', 'config']) assert.equal(heapFlags([], [argument]), '')
})

test('a Node.js that may not begin again runs the program with its own limits', () => {
  const flags = ['--permission', '--allow-fs-read=*', '--disable-warning=SecurityWarning']
  assert.equal(heapFlags(flags, ['-ra']), '')
})

test('a clone without its packages is told how to get them', () => {
  const launcher = install('bare', 'src/main.ts', RANGE)
  writeFileSync(join(folder, 'bare/src/main.ts'), "import 'smol-toml'")
  const { status, stderr } = launch(launcher, '26.10.0')
  assert.equal(status, 1)
  assert.match(
    stderr,
    /^sentrypeer: something is not installed: [^\n]*'smol-toml'[^\n]*\. Run "npm ci" in the clone\.\n$/,
  )
})

test('the launcher is a program and has no syntax that came after Node.js 8', async () => {
  const file = join(ROOT, 'bin/sentrypeer')
  accessSync(file, constants.X_OK)
  const text = readFileSync(file, 'utf8')
  assert.match(text, /^#!\/usr\/bin\/env node\n/)
  const [old, current] = await Promise.all(['es2017', 'esnext'].map((target) => transform(text, { target })))
  assert.equal(old?.code, current?.code)
  assert.doesNotMatch(text, /\bimport\(|'node:/)
})
