// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { every } from '../ops/every.ts'
import type { Listener } from './listener.ts'

const LOOK_EVERY_MS = 5_000 // chosen

export interface DropsWatch {
  /** Datagrams that the kernel dropped since the sockets were opened, as of the last look. */
  total(): number
  stop(): void
}

/** Looks up every few seconds what the kernel dropped, and says so when it did. Listeners may be added later. */
export function watchKernelDrops(listeners: readonly Listener[], warn: (text: string) => void): DropsWatch {
  const known = new Map<Listener, number>()
  let drops = 0
  const look = async () => {
    for (const listener of listeners) {
      const now = await listener.kernelDrops()
      if (now !== null) known.set(listener, now)
    }
    const now = known.values().reduce((sum, count) => sum + count, 0)
    if (now > drops)
      warn(`The kernel dropped ${now - drops} datagrams: its receive buffer was full (net.core.rmem_max)`)
    drops = now
  }
  return { total: () => drops, stop: every(LOOK_EVERY_MS, () => void look()) } // it has nothing that rejects
}
