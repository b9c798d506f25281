// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** A value that can be in an aged map: its neighbours by age, which belong to the map. */
export interface Aged<Value> {
  older: Value | null
  newer: Value | null
}

/** A map that knows which of its values was put in first. */
export interface AgedMap<Value> {
  get(key: string): Value | undefined
  /** For a key that is not in the map, and a value that is in none. The newest from now on. */
  add(key: string, value: Value): void
  delete(key: string): void
  oldest(): Value | null
  size(): number
}

/**
 * A Map has this order too, but finding its first entry takes a walk over all that were deleted before it: some
 * microseconds each time in a table that is full.
 */
export function createAgedMap<Value extends Aged<Value>>(): AgedMap<Value> {
  const values = new Map<string, Value>()
  let oldest: Value | null = null
  let newest: Value | null = null
  return {
    get: (key) => values.get(key),
    add(key, value) {
      value.older = newest
      value.newer = null
      if (newest === null) oldest = value
      else newest.newer = value
      newest = value
      values.set(key, value)
    },
    delete(key) {
      const value = values.get(key)
      if (value === undefined) return
      values.delete(key)
      if (value.older === null) oldest = value.newer
      else value.older.newer = value.newer
      if (value.newer === null) newest = value.older
      else value.newer.older = value.older
      // Whoever still holds it, a timer or a call, would hold all its neighbours through it.
      value.older = null
      value.newer = null
    },
    oldest: () => oldest,
    size: () => values.size,
  }
}
