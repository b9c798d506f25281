// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const LOOK_EVERY_MS = 10_000
const BUSY = 20_000 // chosen: what is done in that time and leaves some tens of megabytes behind
const QUIET = 1_000 // a hundred a second: nobody misses 20 to 50 ms

/**
 * Gives back what the start of this thread has left behind: V8 itself would wait for a heap that fills up, which that of a
 * quiet thread never does. Takes some 20 ms; once, at the end of a start, and not where packets wait.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc') // what it exposes is found in contexts made from now on, and in no other
  const collect = runInNewContext('gc') as (how: object) => void // V8's own function
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

/**
 * Collects once after the start, and once after each time that much was done, when little is done for ten seconds.
 * `done` is a running total. `every` calls its action until the function that it gives is called; so does this.
 */
export function collectWhenQuiet(
  done: () => number,
  every: (intervalMs: number, action: () => void) => () => void,
  collect = collectGarbage,
): () => void {
  let before = done()
  let isDue = true
  return every(LOOK_EVERY_MS, () => {
    const now = done()
    const lately = now - before
    before = now
    if (lately >= BUSY) isDue = true
    if (!isDue || lately >= QUIET) return
    isDue = false
    collect()
  })
}
