// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** What a table remembers by a hash. The links belong to the table. */
export interface Linked<Value> {
  /** Two 32-bit halves of a keyed hash: a whole one would be a number in memory of its own. */
  readonly high: number
  readonly low: number
  /** The next one in its bucket. */
  next: Value | null
  older: Value | null
  newer: Value | null
}

/** Values by a hash, and which of them was put in first. */
export interface RememberedTable<Value> {
  get(high: number, low: number): Value | null
  /** One that is in no table, and whose hash is not in this. The newest from now on. */
  add(value: Value): void
  /** One that is in this table. */
  delete(value: Value): void
  oldest(): Value | null
  size(): number
}

/**
 * For many that come and go: nothing is made but the values themselves. Measured in a flood, a Map with such numbers for
 * its keys took two thirds of the time of an arrival.
 */
export function createRememberedTable<Value extends Linked<Value>>(maxValues: number): RememberedTable<Value> {
  const last = 2 ** Math.ceil(Math.log2(maxValues + 1)) - 1
  const buckets = new Array<Value | null>(last + 1).fill(null)
  let oldest: Value | null = null
  let newest: Value | null = null
  let size = 0

  return {
    get(high, low) {
      let value = buckets[low & last] ?? null
      while (value !== null && (value.low !== low || value.high !== high)) value = value.next
      return value
    },
    add(value) {
      const bucket = value.low & last
      value.next = buckets[bucket] ?? null
      buckets[bucket] = value
      value.older = newest
      if (newest === null) oldest = value
      else newest.newer = value
      newest = value
      size++
    },
    delete(value) {
      const { low, next, older, newer } = value
      let before = buckets[low & last] ?? null
      if (before === value) buckets[low & last] = next
      else {
        while (before !== null && before.next !== value) before = before.next
        if (before === null) return
        before.next = next
      }
      if (older === null) oldest = newer
      else older.newer = newer
      if (newer === null) newest = older
      else newer.older = older
      // Whoever still holds it, a timer or a call, would hold all its neighbours through it.
      value.next = null
      value.older = null
      value.newer = null
      size--
    },
    oldest: () => oldest,
    size: () => size,
  }
}
