// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { SINKS } from './sinks/all.ts'

/** Which folders each folder of src/ may import from; files of src/ itself wire everything up and are not imported. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  sip: [],
  net: [],
  ops: [],
  event: ['net'],
  listeners: ['net', 'sip', 'ops'],
  honeypot: ['event', 'net', 'sip'],
  store: ['event', 'net', 'ops'],
  sinks: ['event', 'net', 'ops', 'store'],
  api: ['event', 'net', 'ops', 'store', 'sinks'],
  config: ['net', 'ops', 'sinks'],
  cli: ['config', 'event', 'net', 'ops', 'sinks', 'store'],
}

/** Source folders without npm packages: their input is hostile, or everything is built on them. */
const STANDARD_LIBRARY_ONLY = ['sip', 'event', 'net']

const FORBIDDEN_NAMES = /(^|\/)(utils?|helpers?|common|types|index|managers?|services?|base|misc)(\.|\/)/

const sources = globSync('src/**/*.ts').map(normalize)
const tests = sources.filter((file) => file.endsWith('.test.ts'))
const program = sources.filter((file) => !file.endsWith('.test.ts'))

/** The formatter writes every import with single quotes, so this finds them all. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  return [...text.matchAll(/(?:\bfrom|^import) '([^'\n]+)'|\bimport\('([^'\n]+)'\)/gm)].map(
    (match) => match[1] ?? match[2] ?? '',
  )
}

function folderOf(file: string): string {
  const parts = file.split('/')
  return parts.length > 2 ? (parts[1] ?? '') : ''
}

test('there is source to look at', () => {
  assert.ok(program.length > 40 && tests.length > 5)
  assert.ok(importsOf('src/receive.ts').includes('./sip/parse.ts'))
})

test('a folder imports only the folders that it may', () => {
  for (const file of program.filter((name) => folderOf(name) !== '')) {
    const folder = folderOf(file)
    const allowed = MAY_IMPORT[folder]
    assert.ok(allowed !== undefined, `src/${folder}/ has no row in MAY_IMPORT`)
    for (const target of importsOf(file).filter((name) => name.startsWith('.'))) {
      const path = normalize(join(dirname(file), target))
      if (path === 'package.json') continue // the version
      const into = folderOf(path)
      assert.ok(
        into === folder || allowed.includes(into),
        `${file} imports ${path}, but ${folder} may not import ${into || 'src/'}`,
      )
    }
  }
})

test('no files import each other in a circle', () => {
  const seen = new Map<string, 'open' | 'done'>()
  const visit = (file: string, path: readonly string[]): void => {
    if (seen.get(file) === 'done') return
    assert.notEqual(seen.get(file), 'open', `circle: ${[...path, file].join(' → ')}`)
    seen.set(file, 'open')
    const text = readFileSync(file, 'utf8').replace(/(?:^|\n)import type [\s\S]*?from '[^']+'/g, '')
    const targets = [...text.matchAll(/from '(\.[^']+)'/g)].map((match) =>
      normalize(join(dirname(file), match[1] ?? '')),
    )
    for (const target of targets) if (program.includes(target)) visit(target, [...path, file])
    seen.set(file, 'done')
  }
  for (const file of program) visit(file, [])
})

test('sip, event and net use nothing but the standard library', () => {
  for (const file of program.filter((name) => STANDARD_LIBRARY_ONLY.includes(folderOf(name)))) {
    const packages = importsOf(file).filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
    assert.deepEqual(packages, [], file)
  }
})

test('process.env and process.argv are read in main.ts only', () => {
  for (const file of program.filter((name) => name !== 'src/main.ts')) {
    const code = readFileSync(file, 'utf8').replace(/^\s*(\/\/|\/?\*).*$/gm, '')
    assert.doesNotMatch(code, /process\.(env|argv)\b|\b(env|argv)\b.*from 'node:process'/, file)
  }
})

test('nobody imports main, daemon, receive or publish but the files that wire the process', () => {
  for (const file of program.filter((name) => !['src/main.ts', 'src/daemon.ts', 'src/status.ts'].includes(name))) {
    for (const target of importsOf(file)) assert.doesNotMatch(target, /\.\/(main|daemon|receive|publish)\.ts$/, file)
  }
})

test('every source file begins with its licence', () => {
  for (const file of [
    ...sources,
    ...globSync(['test/**/*.ts', 'bench/**/*.ts', 'packaging/**/*.ts', 'bin/sentrypeer']),
  ]) {
    const [first, second] = readFileSync(file, 'utf8').split('\n')
    const line = first?.startsWith('#!') ? second : first
    assert.match(line ?? '', /SPDX-License-Identifier: GPL-2\.0-only OR GPL-3\.0-only/, file)
  }
})

test('no file has a name that could hold anything', () => {
  for (const file of sources) assert.doesNotMatch(file, FORBIDDEN_NAMES)
})

test('no file is longer than 500 lines', () => {
  for (const file of program) assert.ok(readFileSync(file, 'utf8').split('\n').length <= 500, file)
})

test('every file that defines a sink is in the list of sinks', () => {
  const defining = program.filter(
    (file) => folderOf(file) === 'sinks' && /= defineSink\(/.test(readFileSync(file, 'utf8')),
  )
  const listed = readFileSync('src/sinks/all.ts', 'utf8')
  for (const file of defining)
    assert.ok(listed.includes(file.replace('src/sinks/', './')), `${file} is not in src/sinks/all.ts`)
  assert.equal(Object.keys(SINKS).length, defining.length)
})
