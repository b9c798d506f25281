// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { countedIn } from './books.ts'
import type { Sample } from './quiet-client.ts'
import type { SoakReport } from './soak.ts'
import { KINDS, percentiles, samplesOf } from './times.ts'
import { quarters } from './watch.ts'

const CURVE_EVERY_S = 10

/** For a person: what was sent, what became of it, how the node did, and what is wrong. */
export function reportText(report: SoakReport): string {
  const { seed, loadMs, findings, notes, ledger, tally, looks, before, after, samples, locks, stopMs } = report
  const counted = countedIn(report.metrics)
  const quarterly = quarters(looks.map(({ residentMib }) => residentMib)).map((mib) => mib.toFixed(0))
  const most = Math.max(0, ...looks.map(({ residentMib }) => residentMib))
  const times = KINDS.map((kind) => {
    const { count, unanswered, p50, p99, p999, most: longest } = percentiles(samplesOf(kind, samples, locks))
    const [a, b, c, d] = [p50, p99, p999, longest].map((ms) => ms.toFixed(1))
    return `${kind}: ${count}, median ${a} ms, p99 ${b}, p99.9 ${c}, longest ${d}; ${unanswered} without an answer`
  })
  return [
    `seed ${seed}, ${(loadMs / 60_000).toFixed(1)} minutes of load, Node.js ${process.version}, ${availableParallelism()} processors`,
    'done:',
    ...[...notes].sort(([one], [other]) => one.localeCompare(other)).map(([what, count]) => `  ${what}: ${count}`),
    `sent: ${ledger.datagrams()} datagrams (${ledger.keepAlives()} of them keep-alives), ${ledger.connections.size} damaged or slow streams`,
    `counted: ${counted.received} received, ${counted.stored} stored, ${counted.retransmissions} retransmissions, ` +
      `${counted.keepAlives} keep-alives, ${counted.dropped} dropped, ${counted.failed} failed; ${counted.kernelDrops} dropped by the kernel`,
    `database: ${tally.rows} rows, ${tally.retransmissions} retransmissions on them, ${tally.again} rows of a datagram that has one already`,
    `memory: ${quarterly.join(', ')} MiB (median of each quarter), at most ${most.toFixed(0)}`,
    `write-ahead log: at most ${Math.max(0, ...looks.map(({ walMib }) => walMib)).toFixed(0)} MiB`,
    `left over: ${after.files} files (${before.files} before), ${after.threads} threads (${before.threads} before)`,
    ...times,
    `stopped in ${stopMs.toFixed(0)} ms`,
    findings.length === 0 ? 'nothing is wrong' : `${findings.length} findings:`,
    ...findings.map((finding) => `FOUND ${finding}`),
  ].join('\n')
}

/** report.txt, memory.csv and times.csv. */
export function keepReport(report: SoakReport, folder: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'report.txt'), `${reportText(report)}\n`)
  const looks = report.looks.map(({ atS, residentMib, files, threads, walMib }) =>
    [atS.toFixed(1), residentMib.toFixed(1), files, threads, walMib.toFixed(1)].join(','),
  )
  writeFileSync(join(folder, 'memory.csv'), ['s,resident_mib,files,threads,wal_mib', ...looks, ''].join('\n'))
  writeFileSync(
    join(folder, 'times.csv'),
    ['s,kind,count,unanswered,p50_ms,p99_ms,longest_ms', ...curves(report), ''].join('\n'),
  )
}

function curves({ samples, startedAtMs }: SoakReport): string[] {
  const spans = new Map<string, Sample[]>()
  for (const sample of samples) {
    const atS = Math.floor((sample.atMs - startedAtMs) / 1_000 / CURVE_EVERY_S) * CURVE_EVERY_S
    const key = `${atS},${sample.kind}`
    const known = spans.get(key)
    if (known === undefined) spans.set(key, [sample])
    else known.push(sample)
  }
  return [...spans].map(([key, part]) => {
    const { count, unanswered, p50, p99, most } = percentiles(part)
    return [key, count, unanswered, p50.toFixed(2), p99.toFixed(2), most.toFixed(2)].join(',')
  })
}
