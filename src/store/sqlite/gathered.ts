// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type CountedRow, isCounted, numbersOf } from './counted-rows.ts'
import { createKeyGroups, type KeyGroups } from './key-groups.ts'
import type { KeyHash } from './key-hash.ts'
import { sortedEntries } from './run-entries.ts'
import type { RunKind } from './runs.ts'

/** What rows say: a group for each key, and what belongs into the index of events. */
export interface Gathered {
  readonly groups: Readonly<Record<'bad_actors' | 'called_numbers', KeyGroups>>
  readonly index: Entries
}

/** The hash of a key and the place of its row's id in `ids`, for all keys of each row. */
interface Entries {
  readonly ids: number[]
  /** The earliest time of the rows. */
  firstAt: string | null
  readonly address: { readonly hashes: number[]; readonly rows: number[] }
  readonly number: { readonly hashes: number[]; readonly rows: number[] }
}

/** What to take of a row: those above these ids. */
export interface GatherFrom {
  readonly bad_actors: number
  readonly called_numbers: number
  readonly events: number
}

export function createGathered(): Gathered {
  return { groups: { bad_actors: createKeyGroups(), called_numbers: createKeyGroups() }, index: createEntries() }
}

function createEntries(): Entries {
  return { ids: [], firstAt: null, address: { hashes: [], rows: [] }, number: { hashes: [], rows: [] } }
}

/** Adds a row whose address is known, with its hash; null for none. */
export function gatherRow(
  { groups, index }: Gathered,
  from: GatherFrom,
  row: CountedRow,
  address: string | null,
  addressHash: number,
  hash: KeyHash,
): void {
  if (address !== null && row.id > from.bad_actors) groups.bad_actors.add(address, addressHash, row)
  const isIndexed = row.id > from.events
  const place = isIndexed ? index.ids.push(row.id) - 1 : -1
  if (isIndexed && (index.firstAt === null || row.timestamp < index.firstAt)) index.firstAt = row.timestamp
  if (address !== null && isIndexed) addEntry(index.address, addressHash, place)
  for (const number of numbersOf(row)) {
    const numberHash = hash(number)
    if (row.id > from.called_numbers && isCounted(number)) groups.called_numbers.add(number, numberHash, row)
    if (isIndexed) addEntry(index.number, numberHash, place)
  }
}

/** A run of these entries, for ids above `afterId`. */
export function runOf(entries: Entries, kind: RunKind, afterId: number): Uint32Array {
  return sortedEntries(entries[kind].hashes, entries[kind].rows, entries.ids, afterId)
}

function addEntry(
  { hashes, rows }: { readonly hashes: number[]; readonly rows: number[] },
  hash: number,
  place: number,
) {
  hashes.push(hash)
  rows.push(place)
}
