// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { MAX_STALL_MS } from './target.ts'

const REPEATS = 5

/** Runs it; how many milliseconds of processor time this thread spent. A clock would count what other programs took. */
export function took(work: () => void): number {
  const before = process.threadCpuUsage()
  work()
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1000
}

/** Whether what took too long once does so time and again: the collector may make single ones slow. */
export function isSlowAgain(work: () => void): boolean {
  for (let time = 0; time < REPEATS; time++) if (took(work) <= MAX_STALL_MS) return false
  return true
}
