// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

// docs/reliability.md names the test for each fault; a test that was renamed or removed shows nothing any more.

const ROOT = join(import.meta.dirname, '..')
const ROWS = readFileSync(join(ROOT, 'docs/reliability.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| fault '))
  .map((line) => line.slice(2, -2).split(' | '))

test('every fault of docs/reliability.md has what holds, a test that there is, and a result', () => {
  assert.ok(ROWS.length > 40)
  const wrong = ROWS.flatMap(([fault = '', holds = '', shownBy = '', result = '', ...more]) => {
    if (holds === '' || !result.startsWith('holds') || more.length > 0) return [`${fault}: a cell too few or too many`]
    return shownBy.split('<br>').flatMap((reference) => (isThere(reference) ? [] : [`${fault}: no test ${reference}`]))
  })
  assert.deepEqual(wrong, [])
})

test('every file with tests of faults is in docs/reliability.md', () => {
  const files = readdirSync(join(ROOT, 'test')).filter((name) => /^faults-.*\.test\.ts$/.test(name))
  const named = ROWS.map(([, , shownBy = '']) => shownBy).join('\n')
  assert.deepEqual(
    files.filter((name) => !named.includes(`\`test/${name}\``)),
    [],
  )
})

/** `FILE`: the name of a test in it, where … stands for what is different in each of several. */
function isThere(reference: string): boolean {
  const [, file = '', name = ''] = /^`((?:src|test)\/[\w/-]+\.test\.ts)`: (.+)$/.exec(reference) ?? []
  if (file === '') return false
  const source = readFileSync(join(ROOT, file), 'utf8')
  const [first = '', ...others] = name.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp([first, ...others].join('\\$\\{[^`\\n]*\\}')).test(source)
}
