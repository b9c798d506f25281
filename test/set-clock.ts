// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FAKETIME } from './peers.ts'

/** A wall clock for one daemon, that can be set while it runs. */
export interface SettableClock {
  /** What the daemon has to have in its environment. */
  readonly env: Readonly<Record<string, string>>
  /** Sets it that many days ahead of the machine's; less than zero is back. */
  set(days: number): void
  /** What it says now, in milliseconds since 1970. */
  nowMs(): number
}

const DAY_MS = 86_400_000

/** Takes libfaketime, which stands between a program and the clocks of the kernel. The steady clock is left alone. */
export function settableClock(folder: string, days: number): SettableClock {
  const file = join(folder, 'clock')
  let ahead = days
  const set = (wanted: number) => {
    ahead = wanted
    writeFileSync(file, `${wanted < 0 ? '' : '+'}${wanted}d\n`)
  }
  set(days)
  return {
    env: {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      // A kernel's monotonic clock is not set by anybody. Both names: it was renamed between versions.
      DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    set,
    nowMs: () => Date.now() + ahead * DAY_MS,
  }
}
