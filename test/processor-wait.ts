// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { readFileSync } from 'node:fs'

/** How long the main thread of a process was ready to run and had no processor, since it began; 0 where Linux does not say. */
export function processorWaitMs(pid: number): number {
  try {
    const [, waitedNs = '0'] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1').split(' ')
    return Number(waitedNs) / 1e6
  } catch {
    return 0
  }
}
