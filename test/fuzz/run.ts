// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// npm run fuzz [-- --seed N] [--count N] [--seconds S] [--only parser,pbx,udp,tcp] [--file FILE]: docs/fuzzing.md.

import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createPersona, PERSONA_NAMES } from '../../src/honeypot/persona.ts'
import { corpusMessages } from '../corpus.ts'
import { fuzzDaemon } from './daemon.ts'
import { keepFinding } from './finding.ts'
import { faultOfLife } from './life.ts'
import { faultOfMessage, faultOfStream, fuzzParser } from './parser.ts'
import { fuzzPbx } from './pbx.ts'
import { createRandom } from './random.ts'
import type { Campaign, Outcome } from './target.ts'

const SECONDS = 60 // for each target, unless it is told how much to do

const TARGETS: Readonly<Record<string, (campaign: Campaign) => Outcome | Promise<Outcome>>> = {
  parser: fuzzParser,
  pbx: fuzzPbx,
  udp: (campaign) => fuzzDaemon('udp', campaign),
  tcp: (campaign) => fuzzDaemon('tcp', campaign),
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    count: { type: 'string' },
    seconds: { type: 'string' },
    only: { type: 'string' },
    file: { type: 'string' },
  },
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1)) // no node is left behind
process.exitCode = values.file === undefined ? await fuzz() : tryFile(values.file)

/** The exit code: 1 when there are findings. */
async function fuzz(): Promise<number> {
  const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed)
  const count = Number(values.count ?? Number.POSITIVE_INFINITY)
  const seconds = Number(values.seconds ?? (values.count === undefined ? SECONDS : Number.POSITIVE_INFINITY))
  if (![seed, count, seconds].every((number) => number >= 0))
    throw new Error('--seed, --count and --seconds are numbers')
  process.stdout.write(`seed ${seed}, Node.js ${process.version}\n`)
  let found = 0
  for (const name of (values.only ?? Object.keys(TARGETS).join(',')).split(',')) {
    const target = TARGETS[name]
    if (target === undefined) throw new Error(`--only takes ${Object.keys(TARGETS).join(', ')}, not ${name}`)
    const onProgress = (text: string) => process.stderr.write(`${name}: ${text}\n`)
    const outcome = await target({ seed, count, seconds, corpus: [...corpusMessages().values()], onProgress })
    process.stdout.write(`${name}: ${summary(outcome)}\n`)
    for (const [index, finding] of outcome.findings.entries()) {
      process.stdout.write(`${name}: FOUND ${finding.why}: ${keepFinding(finding, seed, index)}\n`)
    }
    found += outcome.findings.length
  }
  return found === 0 ? 0 : 1
}

function summary({ inputs, tookMs, findings, figures }: Outcome): string {
  const rate = Math.round((inputs * 1000) / tookMs)
  const rest = Object.entries(figures).map(([name, value]) => `  ${name}: ${value}`)
  return [
    `${inputs} inputs in ${(tookMs / 1000).toFixed(0)} s (${rate} a second), ${findings.length} findings`,
    ...rest,
  ].join('\n')
}

/** One input, through everything that needs no socket. The exit code: 1 when something is wrong with it. */
function tryFile(file: string): number {
  const bytes = readFileSync(file)
  const cuts = createRandom(1)
  const faults = [
    faultOfMessage(bytes),
    ...Array.from({ length: 100 }, () => faultOfStream(bytes, cuts)),
    ...PERSONA_NAMES.map((name) => faultOfLife(bytes, createPersona(name, '00'))),
  ].filter((fault) => fault !== null)
  for (const fault of new Set(faults)) process.stdout.write(`${file}: ${fault}\n`)
  return faults.length === 0 ? 0 : 1
}
