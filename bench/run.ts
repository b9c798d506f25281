// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// npm run bench [-- --quick] [-- --only NAME,…]: one JSON line a figure on stdout, the table of them on stderr.
// npm run bench -- --read FILE [--plot FILE.svg]: the table, and the plot, of the lines of an earlier run.
// Loopback only. It needs a C compiler for load that is not measured with itself, and says so where there is none.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { run } from '../test/run.ts'
import { measureTcp, measureTls } from './connections.ts'
import { type Circumstances, type Figure, type FigureLine, lineOf } from './figure.ts'
import { measureFilledIngest, measureIngest } from './ingest.ts'
import { measureLists } from './lists.ts'
import { createLoadInC, createLoadInJavaScript, type Load } from './load.ts'
import { buildLoadProgram } from './load-program.ts'
import { measureDownloads, measureLookups } from './lookup.ts'
import { measureMemory } from './memory.ts'
import { measureParse } from './parse.ts'
import { lossPlot } from './plot.ts'
import { measureReplyTime } from './reply-time.ts'
import { measureStart } from './start.ts'
import { measureStore } from './store.ts'
import { tableOf } from './table.ts'
import { createWorkbench, type Workbench } from './workbench.ts'

const CACHE = join(import.meta.dirname, '../node_modules/.cache/sentrypeer-bench')

// Lists before anything adds events to the database that they share, the full database last.
const MEASUREMENTS: Readonly<Record<string, (bench: Workbench) => Promise<readonly Figure[]>>> = {
  parse: async ({ rounds }) => [measureParse(rounds * 5)],
  store: async (bench) => [await measureStore(bench)],
  passive: async (bench) => [await measureIngest(bench, 'passive')],
  responsive: async (bench) => [await measureIngest(bench, 'responsive')],
  dgram: async (bench) => [
    await measureIngest(bench, 'passive', 'dgram'),
    await measureIngest(bench, 'responsive', 'dgram'),
  ],
  reply: measureReplyTime,
  tcp: measureTcp,
  tls: measureTls,
  lists: measureLists,
  downloads: measureDownloads,
  lookup: measureLookups,
  memory: measureMemory,
  start: measureStart,
  filled: async (bench) => [await measureFilledIngest(bench)],
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    read: { type: 'string' },
    plot: { type: 'string' },
    'no-compiler': { type: 'boolean', default: false },
  },
})

process.once('SIGINT', () => process.exit(130)) // an exit handler ends what is still running
process.once('SIGTERM', () => process.exit(143))

if (values.read === undefined) await measure()
else show(linesOf(readFileSync(values.read, 'utf8')), process.stdout)

async function measure(): Promise<void> {
  const names = values.only?.split(',') ?? Object.keys(MEASUREMENTS)
  const unknown = names.filter((name) => MEASUREMENTS[name] === undefined)
  if (unknown.length > 0) throw new Error(`--only takes ${Object.keys(MEASUREMENTS).join(', ')}, not ${unknown}`)
  const load = await loadGenerator()
  const bench = createWorkbench(load, values.quick, say)
  const circumstances = await circumstancesOf(load)
  const lines: FigureLine[] = []
  const took: string[] = []
  for (const name of names) {
    say(`measuring ${name}`)
    const startMs = performance.now()
    const command = `npm run bench -- ${values.quick ? '--quick ' : ''}--only ${name}`
    for (const figure of (await MEASUREMENTS[name]?.(bench)) ?? []) {
      const line = lineOf(figure, { ...circumstances, command })
      lines.push(line)
      process.stdout.write(`${JSON.stringify(line)}\n`)
    }
    took.push(`${name} ${((performance.now() - startMs) / 1000).toFixed(1)} s`)
  }
  show(lines, process.stderr)
  say(`took ${took.join(', ')}`)
}

function show(lines: readonly FigureLine[], to: NodeJS.WritableStream): void {
  to.write(tableOf(lines))
  if (values.plot !== undefined) writeFileSync(values.plot, lossPlot(lines))
}

async function loadGenerator(): Promise<Load> {
  const program = values['no-compiler'] ? 'it was asked for' : await buildLoadProgram(CACHE)
  if (typeof program !== 'string') return createLoadInC(program)
  say(`the load comes from JavaScript, and some figures are left out: ${program}`)
  return createLoadInJavaScript(program)
}

async function circumstancesOf({ generator }: Load): Promise<Omit<Circumstances, 'command'>> {
  const git = await run(['git', 'rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname }).catch(() => null)
  return {
    generator,
    node: process.version,
    commit: git?.code === 0 ? git.stdout.trim() : 'unknown', // a tarball has no history
    date: new Date().toISOString().slice(0, 10),
  }
}

function linesOf(text: string): FigureLine[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
}

function say(text: string): void {
  process.stderr.write(`${(performance.now() / 1000).toFixed(1).padStart(6)} s  ${text}\n`)
}
