// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

const read = (file: string) => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')

test('docs/dependencies.md has a row for each dependency, and for no other', () => {
  const { devDependencies, dependencies, optionalDependencies } = JSON.parse(read('package.json'))
  assert.deepEqual([dependencies, optionalDependencies], [undefined, undefined], 'the published package needs nothing')
  const rows = read('docs/dependencies.md').match(/^\| `[^|]+\|/gm) ?? []
  const documented = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map((match) => match[1]))
  assert.deepEqual(documented.toSorted(), Object.keys(devDependencies).toSorted())
})

test('docs/dependencies.md names every Node.js that is pinned', () => {
  const { optionalDependencies } = JSON.parse(read('packages/runtime/package.json'))
  const text = read('docs/dependencies.md')
  for (const name of Object.keys(optionalDependencies)) assert.ok(text.includes(`\`${name}\``), name)
  assert.equal(new Set(Object.values(optionalDependencies)).size, 1, 'all platforms run the same version')
})

test('the lock file has every package of every platform, and no command that npm 10 would remove (npm run lock)', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { bin?: unknown; optionalDependencies?: Record<string, string>; optional?: boolean }>
  }
  for (const [path, { optionalDependencies = {} }] of Object.entries(packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      const places = [`node_modules/${name}`, `${path}/node_modules/${name}`]
      assert.ok(
        places.some((place) => packages[place] !== undefined),
        `${name}, wanted by ${path}`,
      )
    }
  }
  const { optionalDependencies } = JSON.parse(read('packages/runtime/package.json'))
  for (const name of Object.keys(optionalDependencies)) {
    assert.deepEqual(packages[`node_modules/${name}`]?.bin, undefined, name)
  }
})
