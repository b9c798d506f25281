// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

export interface MemoryLimits {
  /** Of all bodies together; a UTF-16 character is one or two bytes. */
  readonly maxCharacters: number
  /** Nothing is served older than this, even if it looks current: the operator may have deleted events. */
  readonly maxAgeMs: number
}

/** The body for `key`: the one made before if `stamp` is still the same, else a new one from `make`. */
export type Remember = (key: string, stamp: string, make: () => string) => string

const LIMITS: MemoryLimits = { maxCharacters: 4 * 1024 * 1024, maxAgeMs: 5_000 } // chosen

/**
 * Remembers the details of the bad actors and numbers that are asked for most. What is counted of one (times, count,
 * proof) changes with each of its events, so that is the stamp. Reading the counts takes 5 µs; making the details
 * 100–200 µs, since their events are rows all over the file.
 */
export function createMemory(nowMs: () => number, { maxCharacters, maxAgeMs } = LIMITS): Remember {
  const bodies = new Map<string, { readonly stamp: string; readonly body: string; readonly madeAtMs: number }>()
  let characters = 0

  function forget(key: string): void {
    characters -= bodies.get(key)?.body.length ?? 0
    bodies.delete(key)
  }

  return (key, stamp, make) => {
    const known = bodies.get(key)
    forget(key)
    const current = known?.stamp === stamp && nowMs() - known.madeAtMs < maxAgeMs
    const entry = current ? known : { stamp, body: make(), madeAtMs: nowMs() }
    bodies.set(key, entry) // last in the map: used most recently
    characters += entry.body.length
    for (const oldest of bodies.keys()) {
      if (characters <= maxCharacters) break
      forget(oldest)
    }
    return entry.body
  }
}
