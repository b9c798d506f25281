// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/*
 * The entries of a run: pairs of a key's hash and an event's id less the id after which the run begins, both unsigned
 * 32-bit integers, sorted by both, each pair once. In memory and in `run_chunks.entries` they lie one after the other,
 * little-endian (what every platform of Node.js has that we know of is).
 */

/** A chunk and its row's header fill a page of 8 KiB. */
export const ENTRIES_IN_CHUNK = 1_000
export const MAX_OFFSET = 2 ** 32 - 1

/** Rows of one run before it is merged with others: hash and place are sorted as one number of 53 bits. */
export const MAX_ROWS_AT_ONCE = 2 ** 21

/** Sorts the pairs of hash and row; `ids[row]` rises with the row. Entries are relative to `afterId`. */
export function sortedEntries(
  hashes: readonly number[],
  rows: readonly number[],
  ids: readonly number[],
  afterId: number,
): Uint32Array {
  const packed = new Float64Array(hashes.length)
  for (let at = 0; at < packed.length; at++) packed[at] = (hashes[at] ?? 0) * MAX_ROWS_AT_ONCE + (rows[at] ?? 0)
  packed.sort()
  const entries = new Uint32Array(packed.length * 2)
  let length = 0
  let before = -1
  for (const pair of packed) {
    if (pair === before) continue // two dialled strings of one event with the same hash
    before = pair
    entries[length++] = Math.floor(pair / MAX_ROWS_AT_ONCE)
    entries[length++] = (ids[pair % MAX_ROWS_AT_ONCE] ?? 0) - afterId
  }
  return entries.subarray(0, length)
}

/** As it is in a cell. */
export function entriesOf(cell: unknown): Uint32Array {
  if (!(cell instanceof Uint8Array)) return new Uint32Array(0) // somebody changed it by hand
  const bytes = cell.byteOffset % 4 === 0 ? cell : cell.slice()
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2)
}

/** For a cell. */
export function bytesOf(entries: Uint32Array): Uint8Array {
  return new Uint8Array(entries.buffer, entries.byteOffset, entries.byteLength)
}

/** How many entries come before this hash and offset. */
export function countBelow(entries: Uint32Array, hash: number, offset: number): number {
  let low = 0
  let high = entries.length >> 1
  while (low < high) {
    const middle = (low + high) >> 1
    const found = entries[2 * middle] ?? 0
    if (found < hash || (found === hash && (entries[2 * middle + 1] ?? 0) < offset)) low = middle + 1
    else high = middle
  }
  return low
}

/** A run that is read in order, a chunk at a time; null when there are no more. */
export interface EntrySource {
  /** What to add to its offsets in the merged run. */
  readonly shift: number
  next(): Uint32Array | null
}

interface Cursor extends EntrySource {
  chunk: Uint32Array
  at: number
}

/**
 * Merges runs of rising, disjoint ids, given oldest first. Each call of the function gives the next chunk of the merged
 * run, a full one but for the last; null when there are no more.
 */
export function createMerge(sources: readonly EntrySource[]): () => Uint32Array | null {
  let cursors: Cursor[] = []
  for (const source of sources) {
    const chunk = source.next()
    if (chunk !== null) cursors.push({ shift: source.shift, next: source.next, chunk, at: 0 })
  }

  /** The first, and so the oldest, of those with the lowest hash. */
  function lowest(): Cursor | undefined {
    let found: Cursor | undefined
    let lowestHash = Number.POSITIVE_INFINITY
    for (const cursor of cursors) {
      const hash = cursor.chunk[cursor.at] ?? 0
      if (hash >= lowestHash) continue
      lowestHash = hash
      found = cursor
    }
    return found
  }

  return () => {
    const merged = new Uint32Array(ENTRIES_IN_CHUNK * 2)
    let length = 0
    while (length < merged.length) {
      const cursor = lowest()
      if (cursor === undefined) break
      merged[length++] = cursor.chunk[cursor.at] ?? 0
      merged[length++] = (cursor.chunk[cursor.at + 1] ?? 0) + cursor.shift
      cursor.at += 2
      if (cursor.at < cursor.chunk.length) continue
      const chunk = cursor.next()
      cursor.at = 0
      if (chunk === null) cursors = cursors.filter((one) => one !== cursor)
      else cursor.chunk = chunk
    }
    return length === 0 ? null : merged.subarray(0, length)
  }
}
