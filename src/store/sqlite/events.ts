// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { PROOF_LEVELS } from '../../event/event.ts'
import type { EventPage, EventQuery, EventSummary, StoredEvent } from '../store.ts'
import { levelOf } from './aggregate.ts'
import { createIdsInRuns } from './event-ids.ts'
import { eventSummaryOf, SUMMARY_COLUMNS, storedEventOf } from './event-rows.ts'
import type { KeyHash } from './key-hash.ts'
import type { RunKind } from './runs.ts'
import { splitSource } from './source.ts'
import { idsInTail, type TailView } from './tail.ts'

const PROFILE_EVENTS = 100 // newest events that a profile counts over at most: bounded, whatever the total
const EXAMINED_EVENTS = 500 // rows that one question looks at, 2 ms; its page says where to go on

/** Whose events. */
export interface EventKey {
  readonly kind: RunKind
  readonly text: string
  /** When it was last seen, if the caller knows: that spares the runs of later events. */
  readonly lastAt?: string
}

export interface EventQuestions {
  page(query: EventQuery, tail: TailView): EventPage
  /** The newest events of a key, `most` at most, without their messages: those made a look-up three times as slow. */
  newest(key: EventKey, most: number, tail: TailView): EventSummary[]
  /** Gives back the memory of what was read lately. */
  forget(): void
}

/** The questions about events, each inside the view of the database of `tail`. */
export function createEventQuestions(database: DatabaseSync, hash: KeyHash): EventQuestions {
  const whole = database.prepare(`SELECT ${SUMMARY_COLUMNS.join(', ')}, sip_message FROM honey WHERE honey_id = ?`)
  const summary = database.prepare(`SELECT ${SUMMARY_COLUMNS.join(', ')} FROM honey WHERE honey_id = ?`)
  for (const statement of [whole, summary]) statement.setReturnArrays(true) // objects took twice the time
  const cellsOf = (statement: StatementSync, id: number) => statement.get(id) as unknown as unknown[] | undefined
  const oldest = database.prepare('SELECT min(honey_id) AS id FROM honey')
  let oldestIn: { readonly view: TailView; readonly id: number } | null = null
  const all = database.prepare('SELECT honey_id FROM honey WHERE honey_id < ? ORDER BY honey_id DESC')
  const withAuth = database.prepare(
    'SELECT honey_id FROM honey WHERE auth_user IS NOT NULL AND honey_id < ? ORDER BY honey_id DESC',
  )
  const idsInRuns = createIdsInRuns(database)

  /** Ids of rows that may be of a key, newest first: of collisions and of rows that are gone, too. */
  function* idsOf({ kind, text, lastAt = '' }: EventKey, before: number, tail: TailView): Generator<number, void> {
    yield* idsInTail(tail, kind, text, before)
    if (oldestIn?.view !== tail) oldestIn = { view: tail, id: Number(oldest.get()?.['id'] ?? 0) }
    const oldestId = oldestIn.id
    for (const id of idsInRuns.find(tail, kind, hash(text), Math.min(before, tail.progress.events.from + 1), lastAt)) {
      if (id < oldestId) return // what is older was purged
      yield id
    }
  }

  /**
   * The ids to look at, newest first: of one address, of one number (as To or as the Request-URI had it), of those with
   * credentials, or of all. The cost of each does not grow with the table.
   */
  function* candidates(query: EventQuery, tail: TailView): Generator<number, void> {
    const { ip, number, withCredentials = false, before = Number.MAX_SAFE_INTEGER } = query
    if (ip !== undefined) yield* idsOf({ kind: 'address', text: ip }, before, tail)
    else if (number !== undefined) yield* idsOf({ kind: 'number', text: number }, before, tail)
    else for (const row of (withCredentials ? withAuth : all).iterate(before)) yield Number(row['honey_id'])
  }

  return {
    page(query, tail) {
      const events: StoredEvent[] = []
      const most = Math.max(EXAMINED_EVENTS, query.limit)
      let examined = 0
      for (const id of candidates(query, tail)) {
        const row = cellsOf(whole, id)
        const event = row === undefined ? null : storedEventOf(row)
        if (event !== null && matches(event, query)) events.push(event)
        if (events.length === query.limit || ++examined === most) return { events, nextBefore: id }
      }
      return { events, nextBefore: null }
    },
    newest(key, most, tail) {
      const events: EventSummary[] = []
      const enough = Math.min(most, PROFILE_EVENTS)
      if (enough === 0) return events
      let examined = 0
      for (const id of idsOf(key, Number.MAX_SAFE_INTEGER, tail)) {
        const row = cellsOf(summary, id)
        const event = row === undefined ? null : eventSummaryOf(row)
        if (event !== null && isOf(event, key)) events.push(event)
        if (events.length === enough || ++examined === EXAMINED_EVENTS) break
      }
      return events
    },
    forget: idsInRuns.forget,
  }
}

function matches(event: StoredEvent, query: EventQuery): boolean {
  const { ip, number, method, since, minProof = 'none', withCredentials = false } = query
  return (
    (ip === undefined || isOf(event, { kind: 'address', text: ip })) &&
    (number === undefined || isOf(event, { kind: 'number', text: number })) &&
    (method === undefined || event.method === method) &&
    (since === undefined || event.timestamp >= since) &&
    levelOf(event.proof) >= PROOF_LEVELS.indexOf(minProof) &&
    (!withCredentials || event.credentials !== null)
  )
}

function isOf(event: EventSummary, { kind, text }: EventKey): boolean {
  if (kind === 'number') return event.calledNumber === text || event.requestUser === text
  return event.sourceIp === text || splitSource(event.sourceIp).address === text // a row that nobody has split yet
}
