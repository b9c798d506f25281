// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { addEvent, addTo, type Counted, type Group, groupOf, join } from './aggregate.ts'
import { type CountedRow, isCounted, numbersOf, type ReadCountedRows } from './counted-rows.ts'
import type { KeyHash } from './key-hash.ts'
import { type AllProgress, lowestFrom, type Progress } from './progress.ts'
import type { RunKind } from './runs.ts'
import { splitSource } from './source.ts'

/*
 * The rows that some view does not have yet, as a reader keeps them: in segments, each with the rows of every key in it
 * chained from the newest back. Which of them count is decided by id and key when somebody asks (schema.ts, `views`), so
 * a segment changes at its end only, and a view of the tail stays what it is while rows are added and segments go.
 */

const SEGMENT_ROWS = 2_048 // chosen: what all rows of a key in a segment say is kept, and so is worth something
const MANY_ROWS = 16 // of a key in a full segment: then it is kept
const MAX_KEY_LENGTH = 129 // as long as a number that is listed; of a longer one the hash is enough to find it by

/** The tail as one view of the database has it. */
export interface TailView {
  readonly progress: AllProgress
  /** The newest row. */
  readonly upto: number
  readonly segments: readonly Segment[]
  readonly keyOf: (text: string) => string
}

interface TailRow extends Counted {
  readonly id: number
}

export interface Segment {
  readonly rows: TailRow[]
  readonly chains: Readonly<Record<RunKind, Chain>>
}

/** Entries are numbered as they come; a row has up to one address and two numbers. */
interface Chain {
  readonly newest: Map<string, number>
  /** The entry of the same key before this one, -1 for none; and its row. */
  readonly older: Int16Array
  readonly row: Int16Array
  length: number
  /** What all rows of a key say, once the segment is full. */
  readonly whole: Map<string, Group>
}

export interface Tail {
  /**
   * Adds the rows that came, at most `most`, and forgets those that all views have by now; `read` and `progress` are of
   * one view of the database that is no older than the last one. True when none are left to add.
   */
  follow(read: ReadCountedRows, progress: AllProgress, most: number): boolean
  /** The tail of the last `follow` that left none. */
  view(progress: AllProgress): TailView
  forget(): void
}

export function createTail(hash: KeyHash): Tail {
  let segments: readonly Segment[] = []
  let lastId = 0
  const keyOf = (text: string) => (text.length > MAX_KEY_LENGTH ? `#${hash(text)}` : text)

  function withRoom(): Segment {
    const last = segments.at(-1)
    if (last !== undefined && last.rows.length < SEGMENT_ROWS) return last
    const next = { rows: [], chains: { address: createChain(SEGMENT_ROWS), number: createChain(2 * SEGMENT_ROWS) } }
    segments = [...segments, next]
    return next
  }

  return {
    follow(read, progress, most) {
      const from = lowestFrom(progress)
      if ((segments[0]?.rows.at(-1)?.id ?? from + 1) <= from)
        segments = segments.filter(({ rows }) => (rows.at(-1)?.id ?? 0) > from)
      lastId = Math.max(lastId, from)
      for (let left = most; left > 0; ) {
        const asked = Math.min(left, SEGMENT_ROWS)
        const rows = read(lastId, Number.MAX_SAFE_INTEGER, asked)
        for (const row of rows) addRow(withRoom(), row, keyOf)
        lastId = rows.at(-1)?.id ?? lastId
        if (rows.length < asked) return true
        left -= rows.length
      }
      return false
    },
    view: (progress) => ({ progress, upto: lastId, segments, keyOf }),
    forget() {
      segments = []
      lastId = 0
    },
  }
}

/** What the rows say of a key that the view does not have; null for nothing. */
export function groupInTail(tail: TailView, kind: RunKind, key: string): Group | null {
  const progress = progressOf(tail, kind)
  let group: Group | null = null
  for (const segment of tail.segments) {
    if ((segment.rows.at(-1)?.id ?? 0) <= progress.from) continue
    const chain = segment.chains[kind]
    const newest = chain.newest.get(key)
    if (newest === undefined) continue
    const found = areAllCounted(segment, tail, progress, key)
      ? wholeGroup(segment, chain, key, newest)
      : partOfGroup(segment, chain, newest, (id) => id <= tail.upto && isCountedIn(progress, id, key))
    if (found === null) continue
    if (group === null) group = { ...found }
    else join(group, found)
  }
  return group
}

/** The same for all keys at once. */
export function groupsInTail(tail: TailView, kind: RunKind): Map<string, Group> {
  const progress = progressOf(tail, kind)
  const groups = new Map<string, Group>()
  for (const { rows, chains } of tail.segments) {
    if ((rows.at(-1)?.id ?? 0) <= progress.from) continue
    const { newest, older, row } = chains[kind]
    for (const [key, last] of newest) {
      if (kind === 'number' && !isCounted(key)) continue
      for (let entry = last; entry >= 0; entry = older[entry] ?? -1) {
        const event = rows[row[entry] ?? 0]
        if (event === undefined || event.id > tail.upto) continue
        if (!isCountedIn(progress, event.id, key)) break // nor are older ones
        addTo(groups, key, event)
      }
    }
  }
  return groups
}

/** Ids of rows of a key that are in no run, below `before`, newest first. */
export function* idsInTail(tail: TailView, kind: RunKind, text: string, before: number): Generator<number, void> {
  const { from } = tail.progress.events
  const key = tail.keyOf(text)
  for (const { rows, chains } of tail.segments.toReversed()) {
    const { newest, older, row } = chains[kind]
    for (let entry = newest.get(key) ?? -1; entry >= 0; entry = older[entry] ?? -1) {
      const id = rows[row[entry] ?? 0]?.id ?? 0
      if (id <= from) return
      if (id < before && id <= tail.upto) yield id
    }
  }
}

function createChain(entries: number): Chain {
  const [older, row] = [new Int16Array(entries), new Int16Array(entries)]
  return { newest: new Map(), older, row, length: 0, whole: new Map() }
}

function addRow(segment: Segment, row: CountedRow, keyOf: (text: string) => string): void {
  const { id, timestamp, level, proofBy, sourceIp } = row
  const { address, number } = segment.chains
  const place = segment.rows.push({ id, timestamp, level, proofBy }) - 1
  // What is a key of the segment already is an address; most others are one, too.
  const known = typeof sourceIp === 'string' && address.newest.has(sourceIp)
  const ip = known ? (sourceIp as string) : splitSource(sourceIp).address
  if (ip !== null) addEntry(address, ip, place)
  for (const text of numbersOf(row)) addEntry(number, keyOf(text), place)
}

function addEntry(chain: Chain, key: string, place: number): void {
  const entry = chain.length++
  chain.older[entry] = chain.newest.get(key) ?? -1
  chain.row[entry] = place
  chain.newest.set(key, entry)
}

function progressOf({ progress }: TailView, kind: RunKind): Progress {
  return kind === 'address' ? progress.bad_actors : progress.called_numbers
}

/** Whether the reader has to add this row: the view does not have it. */
function isCountedIn({ from, upto, doneKey }: Progress, id: number, key: string): boolean {
  return id > upto || (id > from && key > doneKey)
}

function areAllCounted({ rows }: Segment, tail: TailView, progress: Progress, key: string): boolean {
  const [first, last] = [rows[0]?.id ?? 0, rows.at(-1)?.id ?? 0]
  return rows.length === SEGMENT_ROWS && last <= tail.upto && isCountedIn(progress, first, key)
}

function wholeGroup(segment: Segment, chain: Chain, key: string, newest: number): Group | null {
  const kept = chain.whole.get(key)
  if (kept !== undefined) return kept
  const group = partOfGroup(segment, chain, newest, () => true)
  if (group !== null && group.count >= MANY_ROWS) chain.whole.set(key, group)
  return group
}

function partOfGroup({ rows }: Segment, chain: Chain, newest: number, counts: (id: number) => boolean): Group | null {
  let group: Group | null = null
  for (let entry = newest; entry >= 0; entry = chain.older[entry] ?? -1) {
    const event = rows[chain.row[entry] ?? 0]
    if (event === undefined || !counts(event.id)) continue
    if (group === null) group = groupOf(event)
    else addEvent(group, event)
  }
  return group
}
