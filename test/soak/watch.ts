// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import type { NodeProcess } from '../node-process.ts'

/** What a node has of the machine at one moment. */
export interface Look {
  /** Since the beginning of the soak. */
  readonly atS: number
  readonly residentMib: number
  readonly files: number
  readonly threads: number
  /** The write-ahead log of its database. */
  readonly walMib: number
}

const EVERY_MS = 2_000
const MAX_RESIDENT_MIB = 512
const MAX_WAL_MIB = 384 // chosen: from 256 on slow lists are cut (docs/api.md), and a flood goes on meanwhile
const MAX_GROWTH = 1.2
const SPARE_MIB = 48 // chosen: what the collector of a quiet node may leave lying, seen in runs of the fuzzer
const TREND_LOOKS = 300 // ten minutes: in four, what was resident still rose while what was in use after each full collection did not

export interface Watch {
  readonly looks: readonly Look[]
  stop(): void
}

export function lookAt(node: NodeProcess, database: string, atS: number): Look {
  const count = (what: string) => (node.isOver() ? 0 : readdirSync(`/proc/${node.pid}/${what}`).length)
  const walMib = (statSync(`${database}-wal`, { throwIfNoEntry: false })?.size ?? 0) / 2 ** 20
  return { atS, residentMib: node.residentMib(), files: count('fd'), threads: count('task'), walMib }
}

export function watch(node: NodeProcess, database: string): Watch {
  const looks: Look[] = []
  const startedMs = performance.now()
  const timer = setInterval(() => {
    try {
      looks.push(lookAt(node, database, (performance.now() - startedMs) / 1_000))
    } catch {
      clearInterval(timer) // it has ended between two system calls
    }
  }, EVERY_MS)
  return { looks, stop: () => clearInterval(timer) }
}

/** What the files are that a node has open, by kind or name, as `socket ×3, sentrypeer.db ×2`. */
export function openFiles({ pid, isOver }: NodeProcess): string {
  if (isOver()) return ''
  const counts = new Map<string, number>()
  for (const file of readdirSync(`/proc/${pid}/fd`)) {
    const name = basename(targetOf(`/proc/${pid}/fd/${file}`)).replace(/:?\[.*\]$/, '')
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return [...counts].map(([name, count]) => `${name} ×${count}`).join(', ')
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return 'closed meanwhile'
  }
}

/** Too much at any time, or more and more: the median of the last quarter against that of the second one. */
export function faultsOfMemory(residentMib: readonly number[]): string[] {
  const most = Math.max(0, ...residentMib)
  const faults = most > MAX_RESIDENT_MIB ? [`${most.toFixed(0)} MiB resident, more than ${MAX_RESIDENT_MIB}`] : []
  if (residentMib.length < TREND_LOOKS) return faults
  const [, second = 0, , last = 0] = quarters(residentMib)
  if (last <= second * MAX_GROWTH + SPARE_MIB) return faults
  return [
    ...faults,
    `memory grew: median of the second quarter ${second.toFixed(0)} MiB, of the last ${last.toFixed(0)}`,
  ]
}

/** Readers of lists may hold up checkpoints for a while, but not for ever. */
export function faultsOfWal(walMib: readonly number[]): string[] {
  const most = Math.max(0, ...walMib)
  return most > MAX_WAL_MIB ? [`the write-ahead log grew to ${most.toFixed(0)} MiB, more than ${MAX_WAL_MIB}`] : []
}

/** The median of each quarter. */
export function quarters(values: readonly number[]): number[] {
  return [0, 1, 2, 3].map((quarter) => {
    const part = values.slice((values.length * quarter) / 4, (values.length * (quarter + 1)) / 4)
    return part.toSorted((one, other) => one - other)[Math.floor(part.length / 2)] ?? 0
  })
}
