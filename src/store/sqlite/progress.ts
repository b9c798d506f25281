// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'

export const VIEWS = ['bad_actors', 'called_numbers', 'events'] as const
export type View = (typeof VIEWS)[number]
export type Part = 'newest' | 'uncounted'

/** How far a view has come: the table `views`, explained in schema.ts. */
export interface Progress {
  readonly from: number
  readonly upto: number
  /** Empty: none. */
  readonly doneKey: string
}

export type AllProgress = Readonly<Record<View, Progress>>

/** Makes the functions that read and keep how far the views are, inside the caller's transaction. */
export function createProgress(database: DatabaseSync) {
  const query = database.prepare('SELECT from_id, upto_id, done_key FROM views WHERE part = ? AND view = ?')
  const update = database.prepare(
    'UPDATE views SET from_id = ?, upto_id = ?, done_key = ?, keys = keys + ? WHERE part = ? AND view = ?',
  )
  const noteChange = createChangeNote(database)
  const read = (part: Part, view: View): Progress => {
    const row = query.get(part, view)
    return { from: Number(row?.['from_id']), upto: Number(row?.['upto_id']), doneKey: String(row?.['done_key']) }
  }
  return {
    read(part: Part): AllProgress {
      const [badActors, calledNumbers, events] = [
        read(part, 'bad_actors'),
        read(part, 'called_numbers'),
        read(part, 'events'),
      ]
      return { bad_actors: badActors, called_numbers: calledNumbers, events }
    },
    /** `addedKeys`: how many rows the view has more than before. */
    save(part: Part, view: View, { from, upto, doneKey }: Progress, addedKeys = 0): void {
      update.run(from, upto, doneKey, addedKeys, part, view)
      if (part === 'uncounted') noteChange()
    },
  }
}

/** The rows up to this id are in all of these views, for all keys. */
export function lowestFrom(progress: AllProgress, views: readonly View[] = VIEWS): number {
  return Math.min(...views.map((view) => progress[view].from))
}

/**
 * Makes the function that notes, inside the caller's transaction, that answers change though no row was inserted. What
 * only moves rows from the tail into the views is not noted: nobody has to fetch a list again for that.
 */
export function createChangeNote(database: DatabaseSync): () => void {
  const note = database.prepare("UPDATE sentrypeer SET value = value + 1 WHERE name = 'changes'")
  return () => void note.run()
}
