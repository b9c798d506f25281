// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Figure, lineOf } from '../bench/figure.ts'
import { run } from './run.ts'

const WHEN = { generator: 'load by C (bench/load.c)', node: 'v26.10.0', commit: 'abc1234', date: '2026-11-22' }

const RATE: Figure = {
  name: 'rate',
  unit: 'events/s',
  goal: '≥ 0.6',
  ours: { values: [300, 100, 200] },
  floor: { name: 'C', values: [600, 400, 500] },
  events: 500_000,
  curves: [{ label: 'ours', points: [{ perSecond: 300, lostPercent: 5 }] }],
}

const TIME: Figure = {
  name: 'time',
  unit: 'ms',
  goal: 'p99 ≤ 5 ms',
  ours: { values: [0.3], p99: [4] },
  floor: null,
  events: null,
}

test('the lines of a run become the table of the docs and the plot by one command', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sentrypeer-table-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const [file, plot] = [join(folder, 'figures.jsonl'), join(folder, 'loss.svg')]
  const lines = [
    lineOf(RATE, { ...WHEN, command: 'npm run bench -- --only passive' }),
    lineOf(TIME, { ...WHEN, command: 'npm run bench -- --only reply' }),
  ]
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  const command = [process.execPath, join(import.meta.dirname, '../bench/run.ts'), '--read', file, '--plot', plot]
  const { code, stdout } = await run(command)
  assert.equal(code, 0)
  const [caption, , , , ...rows] = stdout.trimEnd().split('\n')
  assert.equal(
    caption,
    '2026-11-22, Node.js v26.10.0, commit abc1234, load by C (bench/load.c). ' +
      'Rounds of a figure: 1 or 3; min / median / max where there are several.',
  )
  assert.deepEqual(rows, [
    '| rate | events/s | ≥ 0.6 | 100 / 200 / 300 | C: 400 / 500 / 600 | 0.25 / 0.4 / 0.5 | `--only passive` |',
    '| time: p50 | ms |  | 0.3 |  |  | `--only reply` |',
    '| time: p99 | ms | p99 ≤ 5 ms | 4 |  |  | `--only reply` |',
  ])
  assert.match(readFileSync(plot, 'utf8'), />ours<\/text>\n/)
})

test('a line says how many rounds and events it is of', () => {
  const { rounds, events } = lineOf(RATE, { ...WHEN, command: '' })
  assert.deepEqual([rounds, events], [3, 500_000])
})
