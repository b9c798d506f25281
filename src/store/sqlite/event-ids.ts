// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import { countBelow, ENTRIES_IN_CHUNK, entriesOf, MAX_OFFSET } from './run-entries.ts'
import type { RunKind } from './runs.ts'
import type { TailView } from './tail.ts'

/*
 * A look-up searches some runs, and each of them took a search in an index and a chunk of 8 KB off its page: half of the
 * whole look-up at rest, and more while events arrive, since SQLite forgets every page it has with each commit of another
 * connection. What a run says never changes, though. So where its chunks begin is kept in memory, and so are the chunks
 * that were read of late: copies, in memory that is taken again and again, since arrays of SQLite's that grow old have to
 * be found by a collection of the whole heap, which was a third of a look-up.
 */

const KEPT_CHUNKS = 512 // chosen: 4 MB at most, the index of the newest 250,000 events by address and by number
const CHUNK_BYTES = ENTRIES_IN_CHUNK * 2 * Uint32Array.BYTES_PER_ELEMENT

/** Ids of events that may be of a key with this hash, below `before`, newest first; read as they are asked for. */
export interface IdsInRuns {
  /**
   * `view` is that of the database which the connection has now; what was read of another one is not trusted. `lastAt` is
   * when the key was last seen, '' where that is not known: no run of later events alone is searched.
   */
  find(view: TailView, kind: RunKind, hash: number, before: number, lastAt: string): Generator<number, void>
  /** Gives the memory back. */
  forget(): void
}

interface Run {
  readonly run: number
  readonly afterId: number
  readonly firstAt: string
  /** The first entry of each chunk, in order, and its row. Null until somebody searches the run. */
  chunks: { readonly firsts: Uint32Array; readonly rows: readonly number[] } | null
}

type RunsOfKind = Readonly<Record<RunKind, readonly Run[]>>

/** Looks through the runs (runs.ts), inside the caller's view of the database. */
export function createIdsInRuns(database: DatabaseSync, keptChunks = KEPT_CHUNKS): IdsInRuns {
  const visible = database.prepare(
    "SELECT run, after_id, first_at FROM runs WHERE kind = ? AND state = 'visible' ORDER BY upto_id DESC",
  )
  const firstsOf = database.prepare(
    'SELECT first_hash, first_offset, chunk FROM run_chunks WHERE run = ? ORDER BY first_hash, first_offset',
  )
  const entriesInRow = database.prepare('SELECT entries FROM run_chunks WHERE chunk = ?')
  for (const statement of [visible, firstsOf, entriesInRow]) statement.setReturnArrays(true)
  // By run, since ids of rows may be given again, and those of runs not.
  const chunks = new Map<number, Map<number, Uint32Array<ArrayBuffer>>>()
  let kept = 0
  let known: { readonly view: TailView; readonly runs: RunsOfKind } | null = null

  function runsIn(view: TailView): RunsOfKind {
    if (known?.view === view) return known.runs
    const before = new Map([...(known?.runs.address ?? []), ...(known?.runs.number ?? [])].map((run) => [run.run, run]))
    const read = (kind: RunKind): Run[] =>
      (visible.all(kind) as unknown as unknown[][]).map(([run, afterId, firstAt]) => {
        const found = { run: Number(run), afterId: Number(afterId), firstAt: String(firstAt), chunks: null }
        return before.get(found.run) ?? found
      })
    const runs = { address: read('address'), number: read('number') }
    known = { view, runs }
    return runs
  }

  function chunksOf(run: Run) {
    if (run.chunks !== null) return run.chunks
    const found = firstsOf.all(run.run) as unknown as unknown[][]
    const firsts = new Uint32Array(found.length * 2)
    const rows = found.map(([hash, offset, row], place) => {
      firsts[2 * place] = Number(hash)
      firsts[2 * place + 1] = Number(offset)
      return Number(row)
    })
    run.chunks = { firsts, rows }
    return run.chunks
  }

  function entriesAt({ run }: Run, row: number): Uint32Array {
    const entries = chunks.get(run)?.get(row)
    if (entries !== undefined) return entries
    const cells = entriesInRow.get(row) as unknown as unknown[] | undefined
    return keep(run, row, entriesOf(cells?.[0]))
  }

  /** Keeps a copy; those that were read first go first, and leave their memory to the next. */
  function keep(run: number, row: number, entries: Uint32Array): Uint32Array {
    if (entries.length > ENTRIES_IN_CHUNK * 2) return entries // nobody writes such
    const room = kept < keptChunks ? new ArrayBuffer(CHUNK_BYTES) : takeOldest()
    const copy = new Uint32Array(room, 0, entries.length)
    copy.set(entries)
    const ofRun = chunks.get(run) ?? new Map<number, Uint32Array<ArrayBuffer>>()
    chunks.set(run, ofRun.set(row, copy))
    kept++
    return copy
  }

  function takeOldest(): ArrayBuffer {
    for (const [run, ofRun] of chunks) {
      for (const [row, { buffer }] of ofRun) {
        ofRun.delete(row)
        if (ofRun.size === 0) chunks.delete(run)
        kept--
        return buffer
      }
    }
    return new ArrayBuffer(CHUNK_BYTES)
  }

  return {
    *find(view, kind, hash, before, lastAt) {
      for (const run of runsIn(view)[kind]) {
        if (run.afterId >= before || (lastAt !== '' && lastAt < run.firstAt)) continue
        const { firsts, rows } = chunksOf(run)
        // Down from the last entry below `before`, chunk by chunk while the hash goes on.
        const limit = Math.min(before - run.afterId, MAX_OFFSET + 1)
        for (let chunk = countBelow(firsts, hash, limit) - 1; chunk >= 0; chunk--) {
          const entries = entriesAt(run, rows[chunk] ?? 0)
          let at = countBelow(entries, hash, limit) - 1
          for (; at >= 0 && entries[2 * at] === hash; at--) yield (entries[2 * at + 1] ?? 0) + run.afterId
          if (at >= 0 || firsts[2 * chunk] !== hash) break
        }
      }
    },
    forget() {
      chunks.clear()
      kept = 0
      known = null
    },
  }
}
