// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { jsonText } from '../event/json.ts'
import type { IpAddress } from '../net/ip.ts'
import type { EventPage, EventQuery, EventReader, ListQuery, Snapshot } from '../store/store.ts'
import { blockable, blocklistText } from './blocklist.ts'
import { encodeCursor, writePosition } from './cursor.ts'
import { eventBody } from './event-body.ts'
import type { ListJob } from './list-job.ts'
import { type ListedRow, type ListName, listedRows, totalOf } from './list-kind.ts'
import { inPieces } from './pieces.ts'

const ROWS_PER_TURN = 250 // 0.5 ms
const EVENTS_PER_TURN = 25
// A filter that hardly anything passes makes short pages, not long waits: one question looks at a bounded number of rows.
const MAX_QUESTIONS = 50
// A message may have 128 KiB, six times as much in JSON, so 1,000 of them would be more than anyone wants in memory.
const MAX_PAGE_CHARACTERS = 4 * 1024 * 1024

/** What a list is made from. */
export interface ListView {
  readonly reader: EventReader
  readonly isBogon: (address: IpAddress) => boolean
  /** The list's own view of the store; opened by the first call, closed by whoever gave it. */
  snapshot(): Snapshot
  /** Resolves when the next part may be made; rejects when nobody wants the list any more. */
  turn(): Promise<void>
}

export interface ListBody {
  /** Of the next page; null when there is none. */
  readonly cursor: string | null
  /** Read from the store as they are taken, unless it is a page. */
  readonly pieces: Iterable<Uint8Array>
}

/** The body of a list, or null when there is nothing to list. */
export async function makeList(job: ListJob, view: ListView): Promise<ListBody | null> {
  switch (job.kind) {
    case 'whole':
      return whole(job.name, view.snapshot(), job.query, job.withCursor)
    case 'page':
      return page(job.name, view, job.query, job.limit)
    case 'blocklist': {
      const never = { isBogon: view.isBogon, ownAddresses: new Set(job.ownAddresses) }
      const addresses = blockable(view.snapshot().badActors(job.query), never)
      return { cursor: null, pieces: inPieces(blocklistText(job.format, addresses)) }
    }
    case 'events':
      return events(view, job.query)
    default:
      return job satisfies never
  }
}

function whole(name: ListName, snapshot: Snapshot, query: ListQuery, withCursor: boolean): ListBody | null {
  const rows = listedRows(name, snapshot, query)
  const first = rows.next()
  if (first.done) return null
  const head = headOf(name, totalOf(name, snapshot.totals()))
  return { cursor: null, pieces: inPieces(wholeTexts(head, first.value, rows, withCursor)) }
}

function* wholeTexts(head: string, first: ListedRow, rows: Iterable<ListedRow>, withCursor: boolean) {
  yield head + first.text
  for (const { text } of rows) yield `,${text}`
  yield withCursor ? '],"next_cursor":null}' : ']}'
}

// A page is put together before it is sent, since its Link header comes before its last row; 10,000 rows are 1.5 MB.
async function page(name: ListName, view: ListView, query: ListQuery, limit: number): Promise<ListBody | null> {
  const rows = listedRows(name, view.snapshot(), { ...query, limit: limit + 1 })
  const texts: string[] = []
  let last: ListedRow | null = null
  let row = rows.next()
  for (; !row.done && texts.length < limit; row = rows.next()) {
    last = row.value
    texts.push(last.text)
    if (texts.length % ROWS_PER_TURN === 0) await view.turn()
  }
  if (last === null) return null
  const cursor = row.done ? null : writePosition(name, last.position)
  return pageOf(headOf(name, totalOf(name, view.snapshot().totals())), texts, cursor)
}

async function events({ reader, turn }: ListView, query: EventQuery): Promise<ListBody> {
  const bodies: string[] = []
  let characters = 0
  let next: number | null = query.before ?? Number.MAX_SAFE_INTEGER
  for (let asked = 0; asked < MAX_QUESTIONS && next !== null && characters <= MAX_PAGE_CHARACTERS; asked++) {
    const limit = Math.min(EVENTS_PER_TURN, query.limit - bodies.length)
    if (limit === 0) break
    const found: EventPage = reader.events({ ...query, before: next, limit })
    next = found.nextBefore
    for (const event of found.events) {
      const body = jsonText(eventBody(event))
      bodies.push(body)
      characters += body.length
      if (characters <= MAX_PAGE_CHARACTERS) continue
      next = event.honeyId // the page goes on behind this one
      break
    }
    await turn()
  }
  return pageOf('{"events":[', bodies, next === null ? null : encodeCursor([String(next)]))
}

function headOf(name: ListName, total: number): string {
  return `{"${name}_total":${total},"${name}":[`
}

/** As bytes at once: texts would count among the heap of a thread that has little. */
function pageOf(head: string, texts: readonly string[], cursor: string | null): ListBody {
  const parts = function* () {
    yield head
    for (const [index, text] of texts.entries()) yield index === 0 ? text : `,${text}`
    yield `],"next_cursor":${JSON.stringify(cursor)}}`
  }
  return { cursor, pieces: [...inPieces(parts())] }
}
