// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { PROOF_LEVELS } from '../../event/event.ts'
import type { ListQuery, Totals } from '../store.ts'
import { type Group, join } from './aggregate.ts'
import { isCounted } from './counted-rows.ts'
import type { RunKind } from './runs.ts'
import { secondOf } from './schema.ts'
import { groupInTail, groupsInTail, type TailView } from './tail.ts'

/*
 * What is known of addresses and numbers: the rows of `bad_actors` and `called_numbers`, together with what the tail
 * adds. On a quiet file there is no tail, and a list comes off its index as it is read.
 */

/** What is known of one key. */
export interface Known extends Readonly<Group> {
  readonly key: string
}

const TABLES = {
  address: { table: 'bad_actors', key: 'source_ip', proof: 'proof_at, proof_by' },
  number: { table: 'called_numbers', key: 'called_number', proof: 'NULL AS proof_at, NULL AS proof_by' },
} as const

const FIRST_SORTED = 1_000 // of the keys in the tail, for a list without a limit: they come while it is sent

type Row = Record<string, unknown>

/** Makes the function that finds what is known of one address or number, inside the view of the database of `tail`. */
export function createLookUp(database: DatabaseSync, kind: RunKind): (key: string, tail: TailView) => Known | null {
  const row = createRowOf(database, kind)
  return (key, tail) => {
    if (kind === 'number' && !isCounted(key)) return null
    return together(row(key), key, groupInTail(tail, kind, key))
  }
}

/** Totals, and how many keys were looked up for them. */
export interface CountedTotals extends Totals {
  readonly lookedUp: number
}

/** Makes the function that counts addresses and numbers: those in the views, and those in the tail that are not. */
export function createTotals(database: DatabaseSync): (tail: TailView) => CountedTotals {
  const rows = database.prepare('SELECT sum(keys) AS keys FROM views WHERE view = ?')
  const isThere = { address: createIsThere(database, 'address'), number: createIsThere(database, 'number') }
  const count = (kind: RunKind, groups: Map<string, Group>) => {
    const others = groups.keys().reduce((sum, key) => (isThere[kind](key) ? sum : sum + 1), 0)
    return Number(rows.get(TABLES[kind].table)?.['keys']) + others
  }
  return (tail) => {
    const [addresses, numbers] = [groupsInTail(tail, 'address'), groupsInTail(tail, 'number')]
    const [badActors, calledNumbers] = [count('address', addresses), count('number', numbers)]
    return { badActors, calledNumbers, lookedUp: addresses.size + numbers.size }
  }
}

/**
 * What a list query asks for, each key once, as it is read; inside the view of the database of `tail`.
 *
 * A key is last seen at the later of the times that its row and the tail give. So it has its place where that of the two
 * stands which is later, and is left out at the other.
 */
export function* list(database: DatabaseSync, kind: RunKind, query: ListQuery, tail: TailView): Generator<Known, void> {
  let left = query.limit ?? Number.POSITIVE_INFINITY
  if (left <= 0) return
  const groups = groupsInTail(tail, kind)
  for (const known of groups.size === 0 ? rowsOf(database, kind, query) : merged(database, kind, query, groups)) {
    yield known
    if (--left <= 0) return
  }
}

function* merged(
  database: DatabaseSync,
  kind: RunKind,
  query: ListQuery,
  groups: Map<string, Group>,
): Generator<Known, void> {
  const rowOf = createRowOf(database, kind)
  const least = PROOF_LEVELS.indexOf(query.minProof ?? 'none')
  const comesBefore = orderOf(query)
  const others = placesInTail(groups, query, (key) => rowOf(key))
  let other = others.next()

  function* ofTail({ key }: Place): Generator<Known, void> {
    const [row, group] = [rowOf(key), groups.get(key)]
    if (row !== undefined && group !== undefined && isListed(row, least) && lastOf(row) >= group.last) return
    const known = together(row, key, group ?? null)
    if (known !== null && known.bestProof >= least) yield known
  }

  for (const known of rowsOf(database, kind, query)) {
    for (; other.done !== true && comesBefore(other.value, known); other = others.next()) yield* ofTail(other.value)
    const group = groups.get(known.key)
    if (group === undefined) yield known
    else if (known.last >= group.last) yield joined(known, group)
  }
  for (; other.done !== true; other = others.next()) yield* ofTail(other.value)
}

/** A place in a list. */
interface Place {
  readonly key: string
  readonly last: string
}

/** Where the keys of the tail stand in the order of a query; as many as it asks for are sorted, the rest if need be. */
function* placesInTail(
  groups: Map<string, Group>,
  query: ListQuery,
  rowOf: (key: string) => Row | undefined,
): Generator<Place, void> {
  const { since, after, minProof = 'none', limit = FIRST_SORTED } = query
  const least = PROOF_LEVELS.indexOf(minProof)
  const comesBefore = orderOf(query)
  const start = after === undefined ? null : { key: after.key, last: after.seenLast }
  const places: Place[] = []
  for (const [key, group] of groups) {
    // Proven by the tail alone: its row is not in the list of proven ones, however late it is.
    const row = least > 0 && group.bestProof >= least ? rowOf(key) : undefined
    const isRowLater = row !== undefined && !isListed(row, least) && lastOf(row) > group.last
    const place = { key, last: isRowLater ? lastOf(row) : group.last }
    if (since !== undefined && place.last < since) continue
    if (start === null || comesBefore(start, place)) places.push(place)
  }
  const order = (one: Place, other: Place) => (comesBefore(one, other) ? -1 : 1)
  const first = firstOf(places, limit, order)
  yield* first
  if (first.length < places.length) yield* places.sort(order).slice(first.length)
}

/** The first `most` of them in order. */
function firstOf(places: readonly Place[], most: number, order: (one: Place, other: Place) => number): Place[] {
  let first: Place[] = []
  let worst: Place | undefined
  for (const place of places.toReversed()) {
    // The newest come last, and lists mostly begin with them: so nearly all others are left out here.
    if (worst !== undefined && order(worst, place) < 0) continue
    first.push(place)
    if (first.length < 4 * most) continue
    first = first.sort(order).slice(0, most)
    worst = first.at(-1)
  }
  return first.sort(order).slice(0, most)
}

/** Whether one place comes before another. Times, addresses and digits sort in SQLite as they do here. */
function orderOf({ order }: ListQuery): (one: Place, other: Place) => boolean {
  const isEarlier = (one: Place, other: Place) => {
    return one.last === other.last ? one.key < other.key : one.last < other.last
  }
  return order === 'oldest' ? isEarlier : (one, other) => isEarlier(other, one)
}

/** The rows of the view that a query asks for, off an index of time; those of one second are sorted as they come. */
function* rowsOf(database: DatabaseSync, kind: RunKind, query: ListQuery): Generator<Known, void> {
  const { sql, values } = rowsQuery(kind, query)
  for (const row of database.prepare(sql).iterate(...values)) yield knownOf(row)
}

/** The statement of `rowsOf`. */
export function rowsQuery(kind: RunKind, { order, since, after, minProof = 'none' }: ListQuery) {
  const { key } = TABLES[kind]
  const [direction, before, upto] = order === 'newest' ? ['DESC', '<', '<='] : ['ASC', '>', '>=']
  const second = secondOf('seen_last')
  const conditions: string[] = []
  const values: SQLInputValue[] = []
  const add = (condition: string, ...bound: SQLInputValue[]) => {
    conditions.push(condition)
    values.push(...bound)
  }
  if (since !== undefined) add(`${second} >= ${secondOf('?')} AND seen_last >= ?`, since, since)
  if (after !== undefined) {
    add(`${second} ${upto} ${secondOf('?')}`, after.seenLast)
    add(`(seen_last, ${key}) ${before} (?, ?)`, after.seenLast, after.key)
  }
  const proof = PROOF_LEVELS.indexOf(minProof)
  if (proof > 0) add('best_proof > 0 AND best_proof >= ?', proof) // in so many words, for the index of proven rows
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
  const inOrder = [second, 'seen_last', key].map((column) => `${column} ${direction}`).join(', ')
  return { sql: `${selectOf(kind)} ${where} ORDER BY ${inOrder}`, values }
}

function selectOf(kind: RunKind): string {
  const { table, key, proof } = TABLES[kind]
  return `SELECT ${key} AS key, seen_count, seen_first, seen_last, best_proof, ${proof} FROM ${table}`
}

function createRowOf(database: DatabaseSync, kind: RunKind): (key: string) => Row | undefined {
  const row = database.prepare(`${selectOf(kind)} WHERE ${TABLES[kind].key} = ?`)
  return (key) => row.get(key)
}

function createIsThere(database: DatabaseSync, kind: RunKind): (key: string) => boolean {
  const row = database.prepare(`SELECT 1 FROM ${TABLES[kind].table} WHERE ${TABLES[kind].key} = ?`)
  return (key) => row.get(key) !== undefined
}

function isListed(row: Row, least: number): boolean {
  return Number(row['best_proof']) >= least
}

function lastOf(row: Row): string {
  return String(row['seen_last'])
}

function together(row: Row | undefined, key: string, group: Group | null): Known | null {
  if (row === undefined) return group === null ? null : { key, ...group }
  return group === null ? knownOf(row) : joined(knownOf(row), group)
}

function joined(known: Known, group: Group): Known {
  const whole = { ...known }
  join(whole, group)
  return whole
}

function knownOf(row: Row): Known {
  return {
    key: String(row['key']),
    count: Number(row['seen_count']),
    first: String(row['seen_first']),
    last: lastOf(row),
    bestProof: Number(row['best_proof']),
    proofAt: textOrNull(row['proof_at']),
    proofBy: textOrNull(row['proof_by']),
  }
}

function textOrNull(cell: unknown): string | null {
  return cell === null || cell === undefined ? null : String(cell)
}
