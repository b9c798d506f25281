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
  readonly proofBy: string | null
}

interface Group {
  count: number
  first: string
  last: string
  bestProof: number
  /** When and how `bestProof` was first reached; null for no proof. */
  proofAt: string | null
  proofBy: string | null
}

// A better proof replaces when and how it was shown; of equal ones the earliest stays, in whatever order they are
// counted.
const SHOWN_BY_EXCLUDED =
  'excluded.best_proof > best_proof OR (excluded.best_proof = best_proof AND excluded.proof_at < proof_at)'

/**
 * Makes the function that adds events to the aggregates, inside the caller's transaction: grouped first, so that an
 * address with a thousand events in a batch is written once.
 */
export function createCounter(database: DatabaseSync): (events: Iterable<Countable>) => void {
  const upsertActor = database.prepare(`
    INSERT INTO bad_actors VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source_ip) DO UPDATE SET
    seen_count = seen_count + excluded.seen_count, seen_first = min(seen_first, excluded.seen_first),
    seen_last = max(seen_last, excluded.seen_last), best_proof = max(best_proof, excluded.best_proof),
    proof_at = iif(${SHOWN_BY_EXCLUDED}, excluded.proof_at, proof_at),
    proof_by = iif(${SHOWN_BY_EXCLUDED}, excluded.proof_by, proof_by)`)
  const upsertNumber = database.prepare(`
    INSERT INTO called_numbers VALUES (?, ?, ?, ?, ?) ON CONFLICT (called_number) DO UPDATE SET
    seen_count = seen_count + excluded.seen_count, seen_first = min(seen_first, excluded.seen_first),
    seen_last = max(seen_last, excluded.seen_last), best_proof = max(best_proof, excluded.best_proof)`)

  return (events) => {
    const actors = new Map<string, Group>()
    const numbers = new Map<string, Group>()
    for (const event of events) {
      if (event.sourceIp !== null) prove(addTo(actors, event.sourceIp, event.timestamp), event)
      for (const number of [event.calledNumber, event.requestUser]) {
        if (number !== null && CALLED_NUMBER.test(number)) prove(addTo(numbers, number, event.timestamp), event)
      }
    }
    // Sorted, so that neighbours on a page are written together.
    for (const [ip, { count, first, last, bestProof, proofAt, proofBy }] of sorted(actors))
      upsertActor.run(ip, count, first, last, bestProof, proofAt, proofBy)
    for (const [number, { count, first, last, bestProof }] of sorted(numbers))
      upsertNumber.run(number, count, first, last, bestProof)
  }
}

function addTo(groups: Map<string, Group>, key: string, timestamp: string): Group {
  const group = groups.get(key)
  if (group === undefined) {
    const first = { count: 1, first: timestamp, last: timestamp, bestProof: 0, proofAt: null, proofBy: null }
    groups.set(key, first)
    return first
  }
  group.count++
  if (timestamp < group.first) group.first = timestamp
  if (timestamp > group.last) group.last = timestamp
  return group
}

function prove(group: Group, { proof, proofBy, timestamp }: Countable): void {
  const level = PROOF_LEVELS.indexOf(proof as Proof) // -1, what no level is, loses against all of them
  if (level <= 0 || level < group.bestProof) return
  if (level === group.bestProof && timestamp >= (group.proofAt ?? '')) return
  group.bestProof = level
  group.proofAt = timestamp
  group.proofBy = proofBy
}

function sorted(groups: Map<string, Group>): [string, Group][] {
  return [...groups].sort(([one], [other]) => (one < other ? -1 : 1))
}
