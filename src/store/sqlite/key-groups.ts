// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { addEvent, type Counted, type Group, groupOf } from './aggregate.ts'

const FIRST_SLOTS = 1_024
const MOST_FULL = 0.5 // of the slots: then a key is found at the first or second look
const SEQUENTIAL_CHARACTERS = 13 // V8 copies a shorter part of a text; a longer one holds on to the whole

/** What rows say of one key. */
export interface KeyGroup extends Group {
  readonly key: string
}

/**
 * Groups by key, for keys whose hash is known. A Map puts each text that it is asked for into V8's table of texts first,
 * which takes longer than all that is done here. The hash has a key of its own, so nobody can aim collisions.
 */
export interface KeyGroups {
  has(key: string, hash: number): boolean
  add(key: string, hash: number, row: Counted): void
  /** In order of the keys, those above `doneKey`. */
  sorted(doneKey: string): KeyGroup[]
  /** Puts what came since the last call in order, so that the rest is soon done: to sort 65,000 at once took 40 ms. */
  sortNew(): void
}

export function createKeyGroups(): KeyGroups {
  let slots = new Int32Array(FIRST_SLOTS).fill(-1)
  const hashes: number[] = []
  const groups: KeyGroup[] = []
  let inOrder: KeyGroup[] = []

  /** The slot where the key is, or where it belongs. */
  function slotOf(key: string, hash: number): number {
    const last = slots.length - 1
    for (let slot = hash & last; ; slot = (slot + 1) & last) {
      const found = slots[slot] ?? -1
      if (found < 0 || (hashes[found] === hash && groups[found]?.key === key)) return slot
    }
  }

  function grow(): void {
    slots = new Int32Array(2 * slots.length).fill(-1)
    const last = slots.length - 1
    for (const [index, hash] of hashes.entries()) {
      let slot = hash & last
      while ((slots[slot] ?? -1) >= 0) slot = (slot + 1) & last
      slots[slot] = index
    }
  }

  function sortNew(): void {
    inOrder = inOrder.concat(groups.slice(inOrder.length).sort(byKey))
  }

  return {
    has: (key, hash) => (slots[slotOf(key, hash)] ?? -1) >= 0,
    add(key, hash, row) {
      const slot = slotOf(key, hash)
      const group = groups[slots[slot] ?? -1]
      if (group !== undefined) return addEvent(group, row)
      slots[slot] = groups.length
      hashes.push(hash)
      const { count, first, last, bestProof, proofAt, proofBy } = groupOf(row)
      groups.push({ key: ofItsOwn(key), count, first, last, bestProof, proofAt, proofBy })
      if (groups.length > MOST_FULL * slots.length) grow()
    },
    sorted(doneKey) {
      sortNew()
      inOrder.sort(byKey) // sorted pieces are merged
      return doneKey === '' ? inOrder : inOrder.filter(({ key }) => key > doneKey)
    },
    sortNew,
  }
}

function byKey(one: KeyGroup, other: KeyGroup): number {
  return one.key < other.key ? -1 : 1
}

/** The same text, but no part of a message that would be kept with it. Keys that are counted are ASCII. */
function ofItsOwn(key: string): string {
  return key.length < SEQUENTIAL_CHARACTERS ? key : Buffer.from(key, 'latin1').toString('latin1')
}
