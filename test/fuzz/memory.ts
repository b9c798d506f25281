// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const MIB = 2 ** 20
const WARM_UP = 4 // samples, until the code is compiled and every table has been full once
const MAX_GROWTH_MIB = 16 // chosen: above the noise of the collector, below a leak of 4 bytes an input in 5 million

/** What is in use after everything has been collected, time and again. */
export interface MemoryWatch {
  sample(): void
  /** First, last and largest, in MiB. */
  text(): string
  /** Says so when there is more and more. */
  fault(): string | null
}

export function createMemoryWatch(): MemoryWatch {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const samples: number[] = []
  let residentMib = 0
  return {
    sample() {
      residentMib = Math.max(residentMib, process.memoryUsage.rss() / MIB)
      collect()
      const { heapUsed, external } = process.memoryUsage()
      samples.push((heapUsed + external) / MIB)
    },
    text() {
      const [first = 0, last = 0] = [samples[Math.min(WARM_UP, samples.length - 1)], samples.at(-1)]
      const most = Math.max(0, ...samples)
      return `${first.toFixed(1)} to ${last.toFixed(1)} MiB after collection (at most ${most.toFixed(1)}), ${residentMib.toFixed(0)} MiB resident`
    },
    fault() {
      const early = samples.slice(WARM_UP, WARM_UP * 2)
      const late = samples.slice(WARM_UP * 2).slice(-3)
      if (late.length < 3) return null
      const growthMib = Math.min(...late) - Math.max(...early)
      return growthMib > MAX_GROWTH_MIB ? `memory grew by ${growthMib.toFixed(1)} MiB` : null
    },
  }
}
