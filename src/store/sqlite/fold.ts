// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import { addTo, type Group } from './aggregate.ts'
import { createCountedRows, isCounted, numbersOf } from './counted-rows.ts'
import { createKeyHash } from './key-hash.ts'
import { type AllProgress, createProgress, lowestFrom, type Part, type Progress, VIEWS, type View } from './progress.ts'
import { sortedEntries } from './run-entries.ts'
import type { RunKind, Runs } from './runs.ts'
import { splitSource } from './source.ts'
import { inTransaction } from './transaction.ts'
import { createViewTables } from './view-tables.ts'

/*
 * A fold puts rows of `honey` into the views: it reads a range of them in order, groups them by key, and adds the groups
 * in order of the keys, so that each page of a view is written once for all the rows on it. It does so in steps of some
 * milliseconds, each change in a short transaction together with how far the view is then, so readers always know which
 * rows they still have to add, and a fold that ended halfway goes on there: it reads its rows again.
 */

export interface FoldRange {
  readonly part: Part
  /** The last id; at most 2^21 above where the views are. */
  readonly upto: number
  /** Without it the index of events stays behind: a run for each event would be too many. */
  readonly withEvents: boolean
  /** How much one step does: rows that it reads, keys that it writes. */
  readonly rowsInStep: number
  readonly keysInStep: number
}

/** Each step gives what it did: rows read, keys written. After an exception, which costs nothing, it is begun anew. */
export type Fold = Generator<number, void>

type CountedView = Exclude<View, 'events'>
const COUNTED_VIEWS = ['bad_actors', 'called_numbers'] as const

/** Groups, and their keys in sorted pieces: to sort 65,000 at once took 40 ms. */
interface Groups {
  readonly byKey: Map<string, Group>
  readonly newKeys: MapIterator<string>
  keys: string[]
}

/** What a fold has read. */
interface Gathered {
  readonly groups: Readonly<Record<CountedView, Groups>>
  readonly ids: number[]
  /** The hash of a key and the place of its row's id in `ids`. */
  readonly entries: Readonly<Record<RunKind, { readonly hashes: number[]; readonly rows: number[] }>>
}

/** Makes the function that begins a fold, or goes on with the one that `views` tells of. */
export function createFolds(database: DatabaseSync, runs: Runs): (range: FoldRange) => Fold {
  const readRows = createCountedRows(database)
  const tables = createViewTables(database)
  const progress = createProgress(database)
  const indexKey = database.prepare("SELECT value FROM sentrypeer WHERE name = 'index_key'").get()
  const hash = createKeyHash(String(indexKey?.['value']))
  const setSource = database.prepare(
    'UPDATE honey SET source_ip = ?, source_port = coalesce(?, source_port) WHERE honey_id = ?',
  )
  const dropInterval = database.prepare('DELETE FROM uncounted WHERE from_id = ?')
  const addInterval = database.prepare('INSERT INTO uncounted SELECT ?1, ?2 WHERE ?1 <= ?2')
  const intervalOf = database.prepare('SELECT upto_id FROM uncounted WHERE from_id = ?')

  /** Rows of others may have `ip:port` for a source: an address must be found all the same. */
  function withPlainSources(gathered: Gathered, rows: ReturnType<typeof readRows>): (string | null)[] {
    const changed: (() => void)[] = []
    const addresses = rows.map(({ id, sourceIp }) => {
      if (typeof sourceIp === 'string' && gathered.groups.bad_actors.byKey.has(sourceIp)) return sourceIp // split before
      const { ip, port, address } = splitSource(sourceIp)
      if (address !== null && ip !== sourceIp) changed.push(() => setSource.run(ip, port, id))
      return address
    })
    if (changed.length > 0) {
      inTransaction(database, () => {
        for (const change of changed) change()
      })
    }
    return addresses
  }

  function gather(gathered: Gathered, at: AllProgress, rows: ReturnType<typeof readRows>, withEvents: boolean): void {
    const addresses = withPlainSources(gathered, rows)
    for (const [index, row] of rows.entries()) {
      const address = addresses[index] ?? null
      const numbers = numbersOf(row)
      if (row.id > at.bad_actors.from && address !== null) addTo(gathered.groups.bad_actors.byKey, address, row)
      if (row.id > at.called_numbers.from) {
        for (const number of numbers) if (isCounted(number)) addTo(gathered.groups.called_numbers.byKey, number, row)
      }
      if (!withEvents || row.id <= at.events.from) continue
      const place = gathered.ids.push(row.id) - 1
      const { address: byAddress, number: byNumber } = gathered.entries
      if (address !== null) byAddress.rows[byAddress.hashes.push(hash(address)) - 1] = place
      for (const number of numbers) byNumber.rows[byNumber.hashes.push(hash(number)) - 1] = place
    }
    for (const view of COUNTED_VIEWS) sortNewKeys(gathered.groups[view])
  }

  /** Two programs that have the file open would count the same rows twice: who finds the other ahead begins anew. */
  function mustBe(part: Part, expected: AllProgress): void {
    const now = progress.read(part)
    if (VIEWS.every((view) => isSame(now[view], expected[view]))) return
    throw new Error('another program has gone on with the views meanwhile')
  }

  /** The groups of a view that a fold has not written yet, in order. */
  function* writeGroups(
    { part, upto, withEvents, keysInStep }: FoldRange,
    at: AllProgress,
    { groups }: Gathered,
    expected: Record<View, Progress>,
  ): Fold {
    const keysOf = (view: CountedView) => {
      return groups[view].keys.sort().filter((key) => key > at[view].doneKey) // sorted pieces are merged
    }
    const behind = COUNTED_VIEWS.filter((view) => at[view].from < upto)
    const left = behind.map((view) => ({ view, keys: keysOf(view), done: 0 }))
    let isBegun = false
    while (left.length > 0) {
      yield inTransaction(database, () => {
        mustBe(part, expected)
        if (!isBegun) for (const view of VIEWS) if (withEvents || view !== 'events') begin(view)
        isBegun = true
        let written = 0
        while (left[0] !== undefined && written < keysInStep) {
          const { view, keys, done } = left[0]
          const now = keys.slice(done, done + keysInStep - written)
          let added = 0
          for (const key of now) {
            const group = groups[view].byKey.get(key)
            if (group !== undefined && tables[view](key, group)) added++
          }
          written += now.length
          left[0].done += now.length
          if (left[0].done === keys.length) {
            save(view, { from: upto, upto, doneKey: '' }, added)
            left.shift()
          } else save(view, { from: at[view].from, upto, doneKey: now.at(-1) ?? '' }, added)
        }
        return written
      })
    }

    function begin(view: View): void {
      if (at[view].from < upto && at[view].upto !== upto) save(view, { ...at[view], upto })
    }

    function save(view: View, now: Progress, added = 0): void {
      progress.save(part, view, now, added)
      expected[view] = now
    }
  }

  function* writeRuns(
    { part, upto }: FoldRange,
    at: AllProgress,
    { ids, entries }: Gathered,
    expected: AllProgress,
  ): Fold {
    const { from } = at.events
    const runOf = (kind: RunKind) => sortedEntries(entries[kind].hashes, entries[kind].rows, ids, from)
    const sorted = { address: runOf('address'), number: runOf('number') }
    yield 0
    inTransaction(database, () => {
      mustBe(part, expected)
      if (from < upto) {
        for (const kind of ['address', 'number'] as const) runs.add(kind, from, upto, sorted[kind])
        progress.save(part, 'events', { from: upto, upto, doneKey: '' })
      }
      if (part === 'newest') return
      const interval = intervalOf.get(from + 1)
      dropInterval.run(from + 1)
      addInterval.run(upto + 1, Number(interval?.['upto_id'] ?? upto))
    })
  }

  return function* fold(range) {
    const { part, upto, withEvents, rowsInStep } = range
    const at = progress.read(part)
    const gathered: Gathered = {
      groups: { bad_actors: createGroups(), called_numbers: createGroups() },
      ids: [],
      entries: { address: { hashes: [], rows: [] }, number: { hashes: [], rows: [] } },
    }
    for (let after = lowestFrom(at, withEvents ? VIEWS : COUNTED_VIEWS); ; ) {
      const rows = readRows(after, upto, rowsInStep)
      gather(gathered, at, rows, withEvents)
      after = rows.at(-1)?.id ?? upto
      if (rows.length < rowsInStep || after >= upto) break
      yield rows.length
    }
    const expected = { ...at }
    yield* writeGroups(range, at, gathered, expected)
    if (withEvents) yield* writeRuns(range, at, gathered, expected)
  }
}

function isSame(one: Progress, other: Progress): boolean {
  return one.from === other.from && one.upto === other.upto && one.doneKey === other.doneKey
}

function createGroups(): Groups {
  const byKey = new Map<string, Group>()
  return { byKey, newKeys: byKey.keys(), keys: [] }
}

function sortNewKeys(groups: Groups): void {
  const found: string[] = []
  // Not one more than there are: an iterator that has seen the end has seen it for ever.
  for (let left = groups.byKey.size - groups.keys.length; left > 0; left--)
    found.push(groups.newKeys.next().value ?? '')
  groups.keys = groups.keys.concat(found.sort())
}
