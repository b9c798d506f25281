// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// npm run bench [-- --quick] [--only parse,store,passive,responsive,lookup]: one JSON line a figure. Loopback only.

import { parseArgs } from 'node:util'
import { type Figure, figureLine } from './figure.ts'
import { measureIngest, measureStore } from './ingest.ts'
import { measureLookups } from './lookup.ts'
import { measureParse } from './parse.ts'

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } } })
const rounds = values.quick ? 1 : 3
const seconds = values.quick ? 1 : 3

const MEASUREMENTS: Readonly<Record<string, () => Figure[] | Promise<Figure[]>>> = {
  parse: () => [measureParse(rounds * 5)],
  store: () => [measureStore(rounds, values.quick ? 50_000 : 200_000)],
  passive: async () => [await measureIngest(rounds, seconds, 'passive')],
  responsive: async () => [await measureIngest(rounds, seconds, 'responsive')],
  lookup: () => measureLookups(rounds, seconds, values.quick ? 20_000 : 200_000),
}

const chosen = values.only?.split(',') ?? Object.keys(MEASUREMENTS)
for (const name of chosen) {
  const measure = MEASUREMENTS[name]
  if (measure === undefined) throw new Error(`--only takes ${Object.keys(MEASUREMENTS).join(', ')}, not ${name}`)
  process.stderr.write(`measuring ${name}...\n`)
  for (const figure of await measure()) process.stdout.write(`${figureLine(figure)}\n`)
}
