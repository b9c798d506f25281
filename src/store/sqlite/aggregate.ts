// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import { PROOF_LEVELS, type Proof } from '../../event/event.ts'
import { CALLED_NUMBER } from './schema.ts'

/** The part of a row of `honey` that is counted. */
export interface Countable {
  readonly timestamp: string
  /** Null: nobody to count it for. */
  readonly sourceIp: string | null
  readonly calledNumber: string | null
  readonly requestUser: string | null
  readonly proof: string
}

interface Group {
  count: number
  first: string
  last: string
  bestProof: number
}

/**
 * Makes the function that adds events to the aggregates, inside the caller's transaction: grouped first, so that an
 * address with a thousand events in a batch is written once.
 */
export function createCounter(database: DatabaseSync): (events: Iterable<Countable>) => void {
  const upsertActor = database.prepare(`
    INSERT INTO bad_actors VALUES (?, ?, ?, ?, ?) ON CONFLICT (source_ip) DO UPDATE SET
    seen_count = seen_count + excluded.seen_count, seen_first = min(seen_first, excluded.seen_first),
    seen_last = max(seen_last, excluded.seen_last), best_proof = max(best_proof, excluded.best_proof)`)
  const upsertNumber = database.prepare(`
    INSERT INTO called_numbers VALUES (?, ?, ?, ?) ON CONFLICT (called_number) DO UPDATE SET
    seen_count = seen_count + excluded.seen_count, seen_first = min(seen_first, excluded.seen_first),
    seen_last = max(seen_last, excluded.seen_last)`)

  return (events) => {
    const actors = new Map<string, Group>()
    const numbers = new Map<string, Group>()
    for (const event of events) {
      const proof = PROOF_LEVELS.indexOf(event.proof as Proof) // -1, what no level is, loses against all of them
      if (event.sourceIp !== null) addTo(actors, event.sourceIp, event.timestamp, Math.max(0, proof))
      for (const number of [event.calledNumber, event.requestUser]) {
        if (number !== null && CALLED_NUMBER.test(number)) addTo(numbers, number, event.timestamp, 0)
      }
    }
    // Sorted, so that neighbours on a page are written together.
    for (const [ip, { count, first, last, bestProof }] of sorted(actors))
      upsertActor.run(ip, count, first, last, bestProof)
    for (const [number, { count, first, last }] of sorted(numbers)) upsertNumber.run(number, count, first, last)
  }
}

function addTo(groups: Map<string, Group>, key: string, timestamp: string, proof: number): void {
  const group = groups.get(key)
  if (group === undefined) {
    groups.set(key, { count: 1, first: timestamp, last: timestamp, bestProof: proof })
    return
  }
  group.count++
  if (timestamp < group.first) group.first = timestamp
  if (timestamp > group.last) group.last = timestamp
  if (proof > group.bestProof) group.bestProof = proof
}

function sorted(groups: Map<string, Group>): [string, Group][] {
  return [...groups].sort(([one], [other]) => (one < other ? -1 : 1))
}
