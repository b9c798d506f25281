// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { PROOF_LEVELS, type Proof } from '../../event/event.ts'

/** What some events say of one address or number. Of equal best proofs the earliest counts, in whatever order they come. */
export interface Group {
  count: number
  first: string
  last: string
  /** Index in `PROOF_LEVELS`. */
  bestProof: number
  /** When and how `bestProof` was first reached; null for no proof. */
  proofAt: string | null
  proofBy: string | null
}

/** The part of an event that is counted. */
export interface Counted {
  readonly timestamp: string
  /** Index in `PROOF_LEVELS`. */
  readonly level: number
  readonly proofBy: string | null
}

/** The index of a `proof` cell in `PROOF_LEVELS`; 0 for what is no level. */
export function levelOf(proof: unknown): number {
  return Math.max(0, PROOF_LEVELS.indexOf(proof as Proof))
}

/** Adds an event to the group of its key, which is made when absent. */
export function addTo(groups: Map<string, Group>, key: string, event: Counted): void {
  const group = groups.get(key)
  if (group === undefined) groups.set(key, groupOf(event))
  else addEvent(group, event)
}

/** The group of one event. */
export function groupOf({ timestamp, level, proofBy }: Counted): Group {
  const proven = level > 0
  return {
    count: 1,
    first: timestamp,
    last: timestamp,
    bestProof: level,
    proofAt: proven ? timestamp : null,
    proofBy: proven ? proofBy : null,
  }
}

export function addEvent(group: Group, { timestamp, level, proofBy }: Counted): void {
  group.count++
  if (timestamp < group.first) group.first = timestamp
  if (timestamp > group.last) group.last = timestamp
  if (level > 0) prove(group, level, timestamp, proofBy)
}

/** Adds what other events of the same key say. */
export function join(group: Group, other: Group): void {
  group.count += other.count
  if (other.first < group.first) group.first = other.first
  if (other.last > group.last) group.last = other.last
  if (other.bestProof > 0) prove(group, other.bestProof, other.proofAt ?? '', other.proofBy)
}

function prove(group: Group, level: number, at: string, by: string | null): void {
  if (level < group.bestProof || (level === group.bestProof && at >= (group.proofAt ?? ''))) return
  group.bestProof = level
  group.proofAt = at
  group.proofBy = by
}
