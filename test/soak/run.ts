// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// npm run soak [-- --minutes N] [--seed N] [--out DIR]: docs/soak.md.

import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { keepReport, reportText } from './report.ts'
import { soak } from './soak.ts'

const MINUTES = 60
const MAX_MINUTES = 24 * 60
const JUDGED_FROM_S = 120 // in less, the start of the program is most of what is measured

const { values } = parseArgs({
  options: { minutes: { type: 'string' }, seed: { type: 'string' }, out: { type: 'string' } },
})
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed)
const minutes = Number(values.minutes ?? MINUTES)
if (!(Number.isInteger(seed) && seed >= 0 && minutes > 0 && minutes <= MAX_MINUTES))
  throw new Error(`--seed is a whole number, --minutes one up to ${MAX_MINUTES}`)

const over = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (over.signal.aborted) process.exit(1) // he insists; what was started ends with us
    process.stderr.write('soak: no more is sent; the accounting follows (again to leave without it)\n')
    over.abort()
  })
}

const folder = mkdtempSync(join(tmpdir(), 'sentrypeer-soak-'))
process.stdout.write(`seed ${seed}, Node.js ${process.version}\n`)
const onProgress = (text: string) => process.stderr.write(`soak: ${text}\n`)
const seconds = minutes * 60
const report = await soak({
  seed,
  seconds,
  folder,
  over: over.signal,
  judgesTimes: seconds >= JUDGED_FROM_S,
  onProgress,
})
process.stdout.write(`${reportText(report)}\n`)
if (values.out !== undefined) keepReport(report, values.out)
if (report.findings.length === 0) rmSync(folder, { recursive: true })
else process.stdout.write(`the database and the logs of the node are in ${folder}\n`)
process.exit(report.findings.length === 0 ? 0 : 1) // also when something of ours hangs
