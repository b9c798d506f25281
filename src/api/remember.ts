// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

export interface MemoryLimits {
  /** Of all bodies together; a UTF-16 character is one or two bytes. */
  readonly maxCharacters: number
  /** Nothing is served older than this, even if it looks current: the operator may have deleted events. */
  readonly maxAgeMs: number
}

/** The body for `key`: the one made before if `stamp` is still the same, else a new one from `make`. */
export type Remember = (key: string, stamp: string, make: () => string) => string

// Chosen: the details of 5,000 bad actors, as many as a node sees in months. Most are one byte a character.
const LIMITS: MemoryLimits = { maxCharacters: 20 * 1024 * 1024, maxAgeMs: 5_000 }

const ASKED_ONCE = 16_384 // a power of two; so many keys can wait for being asked again

/**
 * Remembers the details of the bad actors and numbers that are asked for most. What is counted of one (times, count,
 * proof) changes with each of its events, so that is the stamp. Reading the counts takes 5 µs; making the details
 * 30 µs and more, since their events are rows all over the file.
 *
 * What is asked for once is not remembered yet: of 100,000 numbers asked for in turn none would still be there when its
 * turn comes again, and 4 KB thrown away for each made a look-up three times as expensive.
 */
export function createMemory(nowMs: () => number, { maxCharacters, maxAgeMs } = LIMITS): Remember {
  const bodies = new Map<string, { readonly stamp: string; readonly body: string; readonly madeAtMs: number }>()
  const askedOnce = new Uint32Array(ASKED_ONCE)
  let characters = 0

  function forget(key: string): void {
    characters -= bodies.get(key)?.body.length ?? 0
    bodies.delete(key)
  }

  function wasAsked(key: string): boolean {
    const hash = hashOf(key)
    const place = hash % ASKED_ONCE
    if (askedOnce[place] === hash) return true
    askedOnce[place] = hash
    return false
  }

  return (key, stamp, make) => {
    const known = bodies.get(key)
    if (known === undefined && !wasAsked(key)) return make()
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

/** FNV-1a, 32 bits. Whoever makes two keys collide has one of them remembered a request earlier, and nothing else. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  return hash >>> 0
}
