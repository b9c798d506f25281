// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { statSync } from 'node:fs'
import { PROOF_LEVELS } from '../../event/event.ts'
import type { BadActor, CalledNumber, EventReader, ListQuery, Snapshot, Totals } from '../store.ts'
import { createCountedRows } from './counted-rows.ts'
import { createEventQuestions } from './events.ts'
import { createKeyHash } from './key-hash.ts'
import { type CountedTotals, createLookUp, createTotals, type Known, list } from './known.ts'
import { openForReading } from './open.ts'
import { profile } from './profile.ts'
import { createProgress } from './progress.ts'
import { createTail, type Tail, type TailView } from './tail.ts'

const SNAPSHOT_CACHE_KIB = 256 // a list is read once through: twenty of them need no 2 MB each

// While somebody asks, the tail is followed also between the questions, so that none has to read much of it at once.
const FOLLOW_EVERY_MS = 25
const FOLLOWED_ROWS = 2_048 // at a time, 5 to 8 ms: 80,000 a second
const ASKED_LATELY_MS = 60_000

// In a flood of new keys each of them has to be looked up for the totals, 0.2 s and, in a file that is not in memory, 1.6 s.
const MANY_KEYS = 4_096
const COUNTED_EVERY_MS = 5_000

/** The tail as it is in a version of the file. */
interface Followed {
  readonly version: number
  readonly view: TailView
}

export interface ReaderOptions {
  /**
   * Answers all questions of one turn of the event loop from one view of the database: beginning and ending one took a
   * third of the time of a look-up. For who is asked from outside, since no question of a turn can know of a commit that
   * came after the turn began; not for who writes and asks in the same turn.
   */
  readonly oneViewPerTurn?: boolean
}

/** The reading side on a connection of its own. The file must have been opened for writing before. */
export function openSqliteReader(file: string, { oneViewPerTurn = false }: ReaderOptions = {}): EventReader {
  const database = openForReading(file)
  const key = database.prepare("SELECT value FROM sentrypeer WHERE name = 'index_key'").get()
  const hash = createKeyHash(String(key?.['value']))
  const tail = createTail(hash)
  const viewOfTail = createTailViews(database, tail)
  const [actor, number] = [createLookUp(database, 'address'), createLookUp(database, 'number')]
  const events = createEventQuestions(database, hash)
  const countTotals = createTotals(database)
  const dataVersion = database.prepare('PRAGMA data_version')
  dataVersion.setReturnArrays(true)
  // Not the commit: most commits only move what is known from one place to another.
  const contents = database.prepare(
    "SELECT (SELECT coalesce(max(honey_id), 0) FROM honey) || '.' || value AS version FROM sentrypeer WHERE name = 'changes'",
  )
  const [beginning, ending] = [database.prepare('BEGIN'), database.prepare('COMMIT')]
  // Not run(), which makes an object that says what was changed.
  const [begin, end] = [() => void beginning.get(), () => void ending.get()]
  let followed: Followed | null = null
  let counted: { readonly version: number; readonly atMs: number; readonly totals: CountedTotals } | null = null
  let askedAtMs = Number.NEGATIVE_INFINITY
  let held: Followed | null = null // until the end of this turn

  const commit = () => Number((dataVersion.get() as unknown as unknown[])[0]) // what setReturnArrays is for

  function inOneView<T>(question: () => T): T {
    if (held !== null) return question()
    begin()
    try {
      return question()
    } finally {
      if (database.isTransaction) end() // an error may have ended it
    }
  }

  function letGo(): void {
    held = null
    if (database.isOpen && database.isTransaction) end()
  }

  /** What the view that is open shows, with all of its tail. */
  function follow(): Followed {
    const now = commit()
    if (followed?.version !== now) followed = { version: now, view: viewOfTail() }
    return followed
  }

  /** The view that this turn has. */
  function viewOfTurn(): Followed {
    if (held !== null && database.isTransaction) return held
    begin()
    try {
      held = follow()
      return held
    } finally {
      setImmediate(letGo)
    }
  }

  /** A question to one state of the database, with all of its tail. */
  function ask<T>(question: (view: TailView, version: number) => T): T {
    askedAtMs = performance.now()
    if (oneViewPerTurn) {
      const { view, version } = viewOfTurn()
      return question(view, version)
    }
    return inOneView(() => {
      const { view, version } = follow()
      return question(view, version)
    })
  }

  const following = setInterval(() => {
    if (askedAtMs === Number.NEGATIVE_INFINITY) return
    if (performance.now() - askedAtMs < ASKED_LATELY_MS) {
      try {
        inOneView(() => viewOfTail.ahead(FOLLOWED_ROWS))
      } catch {
        askedAtMs = Number.NEGATIVE_INFINITY // whatever is wrong, who asks next is told; nobody else waits for this
      }
      return
    }
    tail.forget()
    events.forget()
    followed = null
    askedAtMs = Number.NEGATIVE_INFINITY
  }, FOLLOW_EVERY_MS)
  following.unref()

  return {
    badActor: (ip) => ask((view) => map(actor(ip, view), badActorOf)),
    calledNumber: (text) => ask((view) => map(number(text, view), calledNumberOf)),
    badActorProfile: (ip, examine, lastAt = '') =>
      ask((view) => profile(events.newest({ kind: 'address', text: ip, lastAt }, examine, view), 'calledNumber')),
    calledNumberProfile: (text, examine, lastAt = '') =>
      ask((view) => profile(events.newest({ kind: 'number', text, lastAt }, examine, view), 'sourceIp')),
    events: (query) => ask((view) => events.page(query, view)),
    totals: () => {
      const nowMs = performance.now()
      const isLong = (counted?.totals.lookedUp ?? 0) > MANY_KEYS
      if (counted !== null && isLong && nowMs - counted.atMs < COUNTED_EVERY_MS) return totalsOf(counted.totals)
      return ask((view, now) => {
        if (counted?.version !== now) counted = { version: now, atMs: nowMs, totals: countTotals(view) }
        return totalsOf(counted.totals)
      })
    },
    version: () => String(contents.get()?.['version']),
    snapshot: () => openSnapshot(file, tail),
    logBytes: () => statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0,
    close() {
      clearInterval(following)
      database.close()
    },
  }
}

/** A connection with an open read transaction: what it sees does not change, and nobody waits for it. */
function openSnapshot(file: string, tail: Tail): Snapshot {
  const database = openForReading(file)
  database.exec(`PRAGMA cache_size = -${SNAPSHOT_CACHE_KIB}; BEGIN`)
  const view = createTailViews(database, tail)()
  const totals = createTotals(database)
  return {
    badActors: (query: ListQuery) => list(database, 'address', query, view).map(badActorOf),
    calledNumbers: (query: ListQuery) => list(database, 'number', query, view).map(calledNumberOf),
    totals: () => totalsOf(totals(view)),
    close: () => database.close(),
  }
}

/** Makes the function that brings the tail to the view of the database that a connection has. */
function createTailViews(database: ReturnType<typeof openForReading>, tail: Tail) {
  const read = createCountedRows(database)
  const progress = createProgress(database)
  const whole = (): TailView => {
    const now = progress.read('newest')
    tail.follow(read, now, Number.POSITIVE_INFINITY)
    return tail.view(now)
  }
  return Object.assign(whole, { ahead: (rows: number) => tail.follow(read, progress.read('newest'), rows) })
}

function totalsOf({ badActors, calledNumbers }: CountedTotals): Totals {
  return { badActors, calledNumbers }
}

function map<T>(known: Known | null, from: (known: Known) => T): T | null {
  return known === null ? null : from(known)
}

function badActorOf({ key, first, last, count, bestProof, proofAt, proofBy }: Known): BadActor {
  const seen = { seenFirst: first, seenLast: last, seenCount: count }
  return { ipAddress: key, ...seen, bestProof: PROOF_LEVELS[bestProof] ?? 'none', proofAt, proofBy }
}

function calledNumberOf({ key, first, last, count, bestProof }: Known): CalledNumber {
  const seen = { seenFirst: first, seenLast: last, seenCount: count }
  return { calledNumber: key, ...seen, bestProof: PROOF_LEVELS[bestProof] ?? 'none' }
}
