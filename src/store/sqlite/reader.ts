// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { type EventCredentials, PROOF_LEVELS, type Proof } from '../../event/event.ts'
import type { IpAddress } from '../../net/ip.ts'
import type {
  BadActor,
  CalledNumber,
  EventPage,
  EventQuery,
  EventReader,
  EventSummary,
  ListQuery,
  Profile,
  Snapshot,
  StoredEvent,
  Tally,
} from '../store.ts'
import { openForReading } from './open.ts'

const PROFILE_EVENTS = 100 // newest events that a profile counts over at most: bounded, whatever the total
const PROFILE_NEWEST = 10
const EXAMINED_EVENTS = 500 // rows that one filtered question looks at, 2 ms; its page says where to go on
const SNAPSHOT_CACHE_KIB = 256 // a list is read once through: twenty of them need no 2 MB each

const SUMMARY_COLUMNS = [
  'honey_id',
  'event_timestamp',
  'event_uuid',
  'collected_method',
  'transport_type',
  'source_ip',
  'source_port',
  'destination_ip',
  'destination_port',
  'method',
  'called_number',
  'request_user',
  'user_agent',
  'created_by_node_id',
  'proof',
  'fault',
  'fingerprint',
  'tool',
  'proof_by',
  'auth_user',
  'auth_realm',
  'auth_nonce',
  'auth_response',
  'auth_algorithm',
  'auth_password',
  'retransmissions',
] as const

type Row = Record<string, unknown>

/** The reading side on a connection of its own. The file must have been opened for writing before. */
export function openSqliteReader(file: string): EventReader {
  const database = openForReading(file)
  const actor = database.prepare('SELECT * FROM bad_actors WHERE source_ip = ?')
  const number = database.prepare('SELECT * FROM called_numbers WHERE called_number = ?')
  const row = database.prepare('SELECT * FROM honey WHERE honey_id = ?')
  const candidates = createCandidates(database)
  const newestOf = createNewest(database)
  const page = (query: EventQuery) => eventPage(row, candidates, query)
  const dataVersion = database.prepare('PRAGMA data_version')
  const totals = totalsQuery(database)
  let known: { version: string; totals: ReturnType<typeof totals> } | null = null

  const version = () => String(dataVersion.get()?.['data_version'])
  return {
    badActor: (ip) => map(actor.get(ip), badActorOf),
    calledNumber: (text) => map(number.get(text), calledNumberOf),
    badActorProfile: (ip, examine) => profile(newestOf({ ip }, examine), 'calledNumber'),
    calledNumberProfile: (text, examine) => profile(newestOf({ number: text }, examine), 'sourceIp'),
    events: page,
    totals() {
      const now = version()
      if (known?.version !== now) known = { version: now, totals: totals() }
      return known.totals
    },
    version,
    snapshot: () => openSnapshot(file),
    close: () => database.close(),
  }
}

/** A connection with an open read transaction: what it sees does not change, and nobody waits for it. */
function openSnapshot(file: string): Snapshot {
  const database = openForReading(file)
  database.exec(`PRAGMA cache_size = -${SNAPSHOT_CACHE_KIB}; BEGIN`)
  return {
    badActors: (query) => rowsOf(database, 'bad_actors', 'source_ip', query, badActorOf),
    calledNumbers: (query) => rowsOf(database, 'called_numbers', 'called_number', query, calledNumberOf),
    totals: totalsQuery(database),
    close: () => database.close(),
  }
}

function totalsQuery(database: DatabaseSync) {
  const query = database.prepare(
    'SELECT (SELECT count(*) FROM bad_actors) AS actors, (SELECT count(*) FROM called_numbers) AS numbers',
  )
  return () => {
    const row = query.get()
    return { badActors: Number(row?.['actors']), calledNumbers: Number(row?.['numbers']) }
  }
}

function* rowsOf<T>(
  database: DatabaseSync,
  table: 'bad_actors' | 'called_numbers',
  key: 'source_ip' | 'called_number',
  { order, since, after, limit, minProof = 'none' }: ListQuery,
  from: (row: Row) => T,
): IterableIterator<T> {
  const newest = order === 'newest'
  const conditions: string[] = []
  const values: SQLInputValue[] = []
  const add = (condition: string, ...bound: SQLInputValue[]) => {
    conditions.push(condition)
    values.push(...bound)
  }
  if (since !== undefined) add('seen_last >= ?', since)
  if (after !== undefined) add(`(seen_last, ${key}) ${newest ? '<' : '>'} (?, ?)`, after.seenLast, after.key)
  const proof = PROOF_LEVELS.indexOf(minProof)
  if (proof > 0) add('best_proof > 0 AND best_proof >= ?', proof) // in so many words, for the index of proven rows
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
  const direction = newest ? 'DESC' : 'ASC'
  const cut = limit === undefined ? '' : 'LIMIT ?'
  const statement = database.prepare(
    `SELECT * FROM ${table} ${where} ORDER BY seen_last ${direction}, ${key} ${direction} ${cut}`,
  )
  for (const row of statement.iterate(...values, ...(limit === undefined ? [] : [limit]))) yield from(row)
}

/**
 * The ids to look at, newest first, at most `most`: of one address, of one number (as To or as the Request-URI had it),
 * of those with credentials, or of all. Each comes off the end of an index, so the cost does not grow with the table.
 */
function createCandidates(database: DatabaseSync) {
  const newestOf = (condition: string) =>
    database.prepare(`SELECT honey_id FROM honey WHERE ${condition} AND honey_id < ? ORDER BY honey_id DESC LIMIT ?`)
  const all = newestOf('true')
  const ofIp = newestOf('source_ip = ?')
  const ofCalled = newestOf('called_number = ?')
  const ofRequest = newestOf('request_user = ?')
  const withAuth = newestOf('auth_user IS NOT NULL')
  const ids = (rows: readonly Row[]) => rows.map((row) => Number(row['honey_id']))
  return (query: Omit<EventQuery, 'limit'>, most: number): number[] => {
    const { ip, number, withCredentials = false, before = Number.MAX_SAFE_INTEGER } = query
    if (ip !== undefined) return ids(ofIp.all(ip, before, most))
    if (number === undefined) return ids((withCredentials ? withAuth : all).all(before, most))
    const called = ids(ofCalled.all(number, before, most))
    const request = ids(ofRequest.all(number, before, most)) // never the same rows: it is kept only where it differs
    return request.length === 0 ? called : [...called, ...request].sort((one, other) => other - one).slice(0, most)
  }
}

type Candidates = ReturnType<typeof createCandidates>

/** Looks at candidates one by one until the page is full: no question reads more than a bounded number of rows. */
function eventPage(row: StatementSync, candidates: Candidates, query: EventQuery): EventPage {
  const { ip, number, method, since, minProof = 'none', withCredentials = false } = query
  const indexed = [ip !== undefined, number !== undefined, withCredentials].filter(Boolean).length
  const filtered = method !== undefined || since !== undefined || minProof !== 'none' || indexed > 1
  const most = filtered ? Math.max(EXAMINED_EVENTS, query.limit) : query.limit
  const ids = candidates(query, most)
  const events: StoredEvent[] = []
  for (const id of ids) {
    const event = storedEventOf(row.get(id) ?? {})
    if (matches(event, query)) events.push(event)
    if (events.length === query.limit) return { events, nextBefore: id }
  }
  return { events, nextBefore: ids.length === most ? (ids.at(-1) ?? null) : null }
}

function matches(event: StoredEvent, query: EventQuery): boolean {
  const { ip, number, method, since, minProof = 'none', withCredentials = false } = query
  return (
    (ip === undefined || event.sourceIp === ip) &&
    (number === undefined || event.calledNumber === number || event.requestUser === number) &&
    (method === undefined || event.method === method) &&
    (since === undefined || event.timestamp >= since) &&
    PROOF_LEVELS.indexOf(event.proof as Proof) >= PROOF_LEVELS.indexOf(minProof) &&
    (!withCredentials || event.credentials !== null)
  )
}

/**
 * Makes the function that reads the newest events of one address or number, without their messages: those are most of
 * a row, and reading them all made a look-up three times as slow.
 */
function createNewest(database: DatabaseSync) {
  const known = new Map<number, ReturnType<typeof newestStatements>>()
  return ({ ip, number = '' }: { ip?: IpAddress; number?: string }, examine: number): EventSummary[] => {
    const most = Math.min(examine, PROFILE_EVENTS)
    if (most === 0) return []
    const { ofIp, ofCalled, ofRequest } = known.get(most) ?? newestStatements(database, most)
    if (!known.has(most)) known.set(most, { ofIp, ofCalled, ofRequest })
    if (ip !== undefined) return ofIp.all(ip).map(eventSummaryOf)
    const called = ofCalled.all(number).map(eventSummaryOf)
    const request = ofRequest.all(number).map(eventSummaryOf) // never the same rows: it is kept only where it differs
    if (request.length === 0) return called
    return [...called, ...request].sort((one, other) => other.honeyId - one.honeyId).slice(0, most)
  }
}

// A limit that is bound makes SQLite plan the query anew each time, 11 µs; so each limit has statements of its own.
function newestStatements(database: DatabaseSync, most: number) {
  const newestOf = (column: string) => {
    const columns = SUMMARY_COLUMNS.join(', ')
    return database.prepare(`SELECT ${columns} FROM honey WHERE ${column} = ? ORDER BY honey_id DESC LIMIT ${most}`)
  }
  return { ofIp: newestOf('source_ip'), ofCalled: newestOf('called_number'), ofRequest: newestOf('request_user') }
}

function profile(events: readonly EventSummary[], counterpart: 'calledNumber' | 'sourceIp'): Profile {
  return {
    examined: events.length,
    newest: events.slice(0, PROFILE_NEWEST),
    methods: tally(events.map(({ method }) => method)),
    userAgents: tally(events.map(({ userAgent }) => userAgent)),
    counterparts: tally(events.map((event) => event[counterpart])),
  }
}

/** Most frequent first. */
function tally(values: readonly string[]): Tally[] {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts]
    .map(([value, seenCount]) => ({ value, seenCount }))
    .sort((one, other) => other.seenCount - one.seenCount)
}

function map<T>(row: Row | undefined, from: (row: Row) => T): T | null {
  return row === undefined ? null : from(row)
}

function badActorOf(row: Row): BadActor {
  return {
    ipAddress: String(row['source_ip']),
    seenFirst: String(row['seen_first']),
    seenLast: String(row['seen_last']),
    seenCount: Number(row['seen_count']),
    bestProof: bestProofOf(row),
    proofAt: textOrNull(row['proof_at']),
    proofBy: textOrNull(row['proof_by']),
  }
}

function calledNumberOf(row: Row): CalledNumber {
  return {
    calledNumber: String(row['called_number']),
    seenFirst: String(row['seen_first']),
    seenLast: String(row['seen_last']),
    seenCount: Number(row['seen_count']),
    bestProof: bestProofOf(row),
  }
}

function bestProofOf(row: Row): Proof {
  return PROOF_LEVELS[Number(row['best_proof'])] ?? 'none'
}

function storedEventOf(row: Row): StoredEvent {
  return { ...eventSummaryOf(row), sipMessage: text(row['sip_message']) }
}

function eventSummaryOf(row: Row): EventSummary {
  return {
    honeyId: Number(row['honey_id']),
    timestamp: text(row['event_timestamp']),
    eventUuid: text(row['event_uuid']),
    collectedMethod: text(row['collected_method']),
    transport: text(row['transport_type']),
    sourceIp: text(row['source_ip']),
    sourcePort: numberOrNull(row['source_port']),
    destinationIp: textOrNull(row['destination_ip']),
    destinationPort: numberOrNull(row['destination_port']),
    method: text(row['method']),
    calledNumber: text(row['called_number']),
    requestUser: textOrNull(row['request_user']),
    userAgent: text(row['user_agent']),
    createdByNodeId: text(row['created_by_node_id']),
    proof: text(row['proof']),
    fault: textOrNull(row['fault']),
    fingerprint: textOrNull(row['fingerprint']),
    tool: textOrNull(row['tool']),
    proofBy: textOrNull(row['proof_by']),
    credentials: credentialsOf(row),
    retransmissions: numberOrNull(row['retransmissions']) ?? 0,
  }
}

function credentialsOf(row: Row): EventCredentials | null {
  const user = textOrNull(row['auth_user'])
  if (user === null) return null
  return {
    user,
    realm: text(row['auth_realm']),
    nonce: text(row['auth_nonce']),
    response: text(row['auth_response']),
    algorithm: text(row['auth_algorithm']),
    password: textOrNull(row['auth_password']),
  }
}

function text(cell: unknown): string {
  return cell === null || cell === undefined ? '' : String(cell)
}

function textOrNull(cell: unknown): string | null {
  return cell === null || cell === undefined ? null : String(cell)
}

function numberOrNull(cell: unknown): number | null {
  return typeof cell === 'number' ? cell : null
}
