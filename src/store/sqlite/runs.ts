// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { randomInt } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { bytesOf, createMerge, ENTRIES_IN_CHUNK, type EntrySource, entriesOf, MAX_OFFSET } from './run-entries.ts'
import { inTransaction } from './transaction.ts'

/*
 * Which events an address or a number has, without an insert at a random place for each event. A catch-up sorts what it
 * has read and adds it as a run: the ids after `after_id` and up to `upto_id`, by the hash of the key. Runs of one kind
 * never overlap. A reader goes through them from the newest to the oldest and looks at each row that it finds (event-
 * ids.ts), so neither a collision of hashes nor a row that is gone does any harm.
 *
 * So that there are few, runs that follow one another are merged: four of a size into one of the next size. The merged
 * run is `writing` while its chunks are written, in short transactions; the last makes it `visible` and its sources
 * `dropped`, whose chunks go in short transactions, too. What a crash leaves `writing` is dropped.
 */

export type RunKind = 'address' | 'number'
const KINDS: readonly RunKind[] = ['address', 'number']

// Another program that has the file open takes a merge of ours for a leftover and drops it, as we would its own. Chosen:
// of two that wait for so long, each by chance, one is through with a merge before the other comes back.
const PAUSE_MS = [1_000, 30_000] as const

/** How much at a time; tests have smaller ones. */
export const RUN_SIZES = {
  /** Runs of this many entries and fewer are the smallest size. */
  smallestEntries: 2_048,
  /** So many times larger is the next size, and so many of a size are merged. Chosen: at most three runs of each size. */
  growth: 4,
  mostMerged: 16,
  /** Chunks that one transaction writes, about 4 ms, or deletes. */
  writtenChunks: 64,
  deletedChunks: 256,
}

export interface Runs {
  /** Adds a run inside the caller's transaction. `firstAt`: the earliest time of the events up to `uptoId`, '' if unknown. */
  add(kind: RunKind, afterId: number, uptoId: number, entries: Uint32Array, firstAt: string): void
  /** Merges or deletes for one short transaction. False when there is nothing to do. */
  tidySlice(): boolean
  /** Drops runs that have nothing above this id, inside the caller's transaction. */
  dropUpto(id: number): void
}

interface Run {
  readonly run: number
  readonly afterId: number
  readonly uptoId: number
  readonly entries: number
  readonly firstAt: string
}

interface Merge {
  readonly sources: readonly Run[]
  readonly target: number
  readonly nextChunk: () => Uint32Array | null
  entries: number
}

export function createRuns(database: DatabaseSync, sizes: typeof RUN_SIZES = RUN_SIZES): Runs {
  const visible = database.prepare("SELECT * FROM runs WHERE kind = ? AND state = 'visible' ORDER BY upto_id")
  const insertRun = database.prepare(
    'INSERT INTO runs (kind, after_id, upto_id, entries, state, first_at) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const insertChunk = database.prepare(
    'INSERT INTO run_chunks (run, first_hash, first_offset, entries) VALUES (?, ?, ?, ?)',
  )
  const nextChunk = database.prepare(`SELECT first_hash, first_offset, entries FROM run_chunks
    WHERE run = ? AND (first_hash, first_offset) > (?, ?) ORDER BY first_hash, first_offset LIMIT 1`)
  const show = database.prepare("UPDATE runs SET state = 'visible', entries = ? WHERE run = ?")
  const drop = database.prepare("UPDATE runs SET state = 'dropped' WHERE run = ?")
  const dropUpto = database.prepare("UPDATE runs SET state = 'dropped' WHERE state = 'visible' AND upto_id <= ?")
  const dropUnfinished = database.prepare("UPDATE runs SET state = 'dropped' WHERE state = 'writing'")
  const anyState = database.prepare('SELECT run FROM runs WHERE state = ? LIMIT 1')
  const isVisible = database.prepare("SELECT 1 FROM runs WHERE run = ? AND state = 'visible'")
  const isWritten = database.prepare("SELECT 1 FROM runs WHERE run = ? AND state = 'writing'")
  const deleteChunks = database.prepare(`DELETE FROM run_chunks WHERE chunk IN
    (SELECT chunk FROM run_chunks WHERE run = ? LIMIT ${sizes.deletedChunks})`)
  const forget = database.prepare('DELETE FROM runs WHERE run = ?')
  let pausedUntilMs = 0
  let merge: Merge | null = null // forgotten when a transaction fails: then what is `writing` is dropped

  function writeChunk(run: number, entries: Uint32Array): void {
    insertChunk.run(run, entries[0] ?? 0, entries[1] ?? 0, bytesOf(entries))
  }

  function sourceOf({ run, afterId }: Run, targetAfterId: number): EntrySource {
    let [hash, offset] = [-1, -1]
    return {
      shift: afterId - targetAfterId,
      next() {
        for (;;) {
          const row = nextChunk.get(run, hash, offset)
          if (row === undefined) return null
          hash = Number(row['first_hash'])
          offset = Number(row['first_offset'])
          const entries = entriesOf(row['entries'])
          if (entries.length > 0) return entries
        }
      },
    }
  }

  function begin(kind: RunKind, sources: readonly Run[]): Merge {
    const afterId = sources[0]?.afterId ?? 0
    const uptoId = sources.at(-1)?.uptoId ?? 0
    const firstAt = sources.map((run) => run.firstAt).sort()[0] ?? ''
    const target = Number(insertRun.run(kind, afterId, uptoId, 0, 'writing', firstAt).lastInsertRowid)
    return { sources, target, nextChunk: createMerge(sources.map((run) => sourceOf(run, afterId))), entries: 0 }
  }

  /** Writes the next chunks. True when that was all, and the merged run is in the place of its sources. */
  function goOn(going: Merge): boolean {
    if (isWritten.get(going.target) === undefined) {
      pausedUntilMs = performance.now() + randomInt(...PAUSE_MS)
      return true
    }
    for (let written = 0; written < sizes.writtenChunks; written++) {
      const chunk = going.nextChunk()
      if (chunk !== null) {
        writeChunk(going.target, chunk)
        going.entries += chunk.length >> 1
        continue
      }
      const areThere = going.sources.every(({ run }) => isVisible.get(run) !== undefined) // a purge may have dropped some
      if (areThere) show.run(going.entries, going.target)
      for (const run of areThere ? going.sources.map((source) => source.run) : [going.target]) drop.run(run)
      return true
    }
    return false
  }

  function mergeSlice(next: () => Merge): void {
    const going = merge
    merge = null
    merge = inTransaction(database, () => {
      const now = going ?? next()
      return goOn(now) ? null : now
    })
  }

  function deleteSlice(run: number): void {
    inTransaction(database, () => {
      if (Number(deleteChunks.run(run).changes) < sizes.deletedChunks) forget.run(run)
    })
  }

  return {
    add(kind, afterId, uptoId, entries, firstAt) {
      const { lastInsertRowid } = insertRun.run(kind, afterId, uptoId, entries.length >> 1, 'visible', firstAt)
      const run = Number(lastInsertRowid)
      for (let at = 0; at < entries.length; at += 2 * ENTRIES_IN_CHUNK)
        writeChunk(run, entries.subarray(at, at + 2 * ENTRIES_IN_CHUNK))
    },
    tidySlice() {
      if (performance.now() < pausedUntilMs) return false
      if (merge === null && anyState.get('writing') !== undefined) dropUnfinished.run()
      const dropped = anyState.get('dropped')
      if (dropped !== undefined) {
        deleteSlice(Number(dropped['run']))
        return true
      }
      if (merge !== null) {
        const going = merge
        mergeSlice(() => going)
        return true
      }
      for (const kind of KINDS) {
        const sources = mergeable(visible.all(kind).map(runOf), sizes)
        if (sources.length === 0) continue
        mergeSlice(() => begin(kind, sources))
        return true
      }
      return false
    },
    dropUpto: (id) => void dropUpto.run(id),
  }
}

/**
 * The runs to merge, of runs in order of their ids: of the smallest size that has enough of them, with only smaller ones
 * between. None with ids between them that are in no run yet: a run for those may come.
 */
function mergeable(runs: readonly Run[], { smallestEntries, growth, mostMerged }: typeof RUN_SIZES): readonly Run[] {
  const sizeOf = ({ entries }: Run) =>
    Math.max(0, Math.floor(Math.log(Math.max(1, entries) / smallestEntries) / Math.log(growth)))
  const sizes = [...new Set(runs.map(sizeOf))].sort((one, other) => one - other)
  for (const size of sizes) {
    let found: Run[] = []
    const isEnough = () => found.filter((run) => sizeOf(run) === size).length >= growth
    for (const run of runs) {
      const goesOn =
        found.length === 0 ||
        (found.at(-1)?.uptoId === run.afterId && run.uptoId - (found[0]?.afterId ?? 0) < MAX_OFFSET)
      if (sizeOf(run) > size || !goesOn) {
        if (isEnough()) break
        found = []
      }
      if (sizeOf(run) <= size) found.push(run)
      if (found.length === mostMerged && isEnough()) break
      if (found.length === mostMerged) found.shift()
    }
    if (isEnough()) return found
  }
  return []
}

function runOf(row: Record<string, unknown>): Run {
  return {
    run: Number(row['run']),
    afterId: Number(row['after_id']),
    uptoId: Number(row['upto_id']),
    entries: Number(row['entries']),
    firstAt: String(row['first_at']),
  }
}
