// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { bundledPackages, noticesText } from './notices.ts'

/** A root with the given files; a package.json may be given as its licence alone. */
function rootWith(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'sentrypeer-notices-'))
  t.after(() => rmSync(root, { recursive: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    const name = /.*node_modules\/(.*)\/package\.json$/.exec(path)?.[1]
    const content = name === undefined ? text : JSON.stringify({ name, version: '1.2.3', license: text })
    writeFileSync(join(root, path), content)
  }
  return root
}

function packagesOf(root: string, inputs: readonly string[]) {
  return bundledPackages(root, inputs, join(root, 'licences'))
}

test('each package of the bundle comes once, sorted, with its licence and its NOTICE', (t) => {
  const root = rootWith(t, {
    'node_modules/b/package.json': 'MIT',
    'node_modules/b/license': 'text of b',
    'node_modules/@a/a/package.json': 'Apache-2.0',
    'node_modules/@a/a/LICENSE.md': 'text of a',
    'node_modules/@a/a/NOTICE': 'notice of a',
    'node_modules/b/node_modules/c/package.json': 'ISC',
    'node_modules/b/node_modules/c/COPYING': 'text of c',
  })
  const inputs = [
    'src/main.ts',
    'node_modules/b/x.js',
    'node_modules/b/lib/y.js',
    'node_modules/@a/a/z.js',
    'node_modules/b/node_modules/c/c.js',
  ]
  assert.deepEqual(packagesOf(root, inputs), [
    { name: '@a/a', version: '1.2.3', license: 'Apache-2.0', text: 'text of a\nnotice of a' },
    { name: 'b', version: '1.2.3', license: 'MIT', text: 'text of b' },
    { name: 'c', version: '1.2.3', license: 'ISC', text: 'text of c' },
  ])
})

for (const license of ['GPL-3.0-or-later', 'SEE LICENSE IN x', 'UNLICENSED', 'CDDL-1.0']) {
  test(`a package under ${license} does not get into the bundle`, (t) => {
    const root = rootWith(t, { 'node_modules/b/package.json': license, 'node_modules/b/LICENSE': 'x' })
    assert.throws(() => packagesOf(root, ['node_modules/b/b.js']), {
      message: `b 1.2.3 has licence ${license}: not accepted`,
    })
  })
}

test('a package without a licence text does not get into the bundle', (t) => {
  const root = rootWith(t, { 'node_modules/@a/b/package.json': 'MIT' })
  assert.throws(
    () => packagesOf(root, ['node_modules/@a/b/b.js']),
    /@a\/b 1\.2\.3 has no licence text; put it into .*@a\+b\.txt/,
  )
})

test('a licence text that was found by hand does', (t) => {
  const root = rootWith(t, { 'node_modules/@a/b/package.json': 'MIT', 'licences/@a+b.txt': 'by hand' })
  assert.deepEqual(
    packagesOf(root, ['node_modules/@a/b/b.js']).map(({ text }) => text),
    ['by hand'],
  )
})

test('the notices say what Apache-2.0 means for the whole, only where it is in there', () => {
  const mit = { name: 'b', version: '1', license: 'MIT', text: 'text\n' }
  assert.match(noticesText([mit]), /\n-{80}\nb 1 \(MIT\)\n\ntext\n$/)
  assert.doesNotMatch(noticesText([mit]), /Apache/)
  assert.match(noticesText([mit, { ...mit, license: 'Apache-2.0' }]), /^Apache-2\.0 fits version 3 of the GPL only/m)
})
