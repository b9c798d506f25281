// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Timers } from './timers.ts'

/** Timers for tests: time goes on when told to. */
export interface FakeTimers extends Timers {
  /** Runs what is due in the next `ms`, in order, at its time. */
  advance(ms: number): void
  /** How many timers run. */
  running(): number
}

export function fakeTimers(): FakeTimers {
  const waits = new Map<number, { readonly atMs: number; readonly run: () => void }>()
  let nowMs = 0
  let last = 0

  function next(): number | null {
    let first: number | null = null
    for (const [id, { atMs }] of waits) {
      const firstAtMs = first === null ? Number.POSITIVE_INFINITY : (waits.get(first)?.atMs ?? 0)
      if (atMs < firstAtMs) first = id
    }
    return first
  }

  return {
    after(ms, run) {
      const id = ++last
      waits.set(id, { atMs: nowMs + ms, run })
      return () => void waits.delete(id)
    },
    advance(ms) {
      const endMs = nowMs + ms
      for (let id = next(); id !== null; id = next()) {
        const wait = waits.get(id)
        if (wait === undefined || wait.atMs > endMs) break
        nowMs = wait.atMs
        waits.delete(id)
        wait.run()
      }
      nowMs = endMs
    },
    running: () => waits.size,
  }
}
