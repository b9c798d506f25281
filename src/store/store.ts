// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { EventCredentials, Proof } from '../event/event.ts'
import type { PackedBatch } from '../event/packed.ts'
import type { IpAddress } from '../net/ip.ts'

/** How often the message of a row arrived again, beyond what the row says so far. */
export interface Retransmissions {
  readonly honeyId: number
  readonly retransmissions: number
}

/** The writing side: one batch at a time, in the order given. */
export interface EventWriter {
  /**
   * Resolves with the honeyId of the batch's first row when the whole batch is committed and a reader opened later sees
   * it; rejects when none of it is. The rows of a batch have consecutive ids, in its order. One call at a time, of this
   * or of `amend`: the next one only after the last has settled. Until it has, `batch.slab` is detached; then it is
   * there again, for another try or for the next events. A writer that dies keeps it.
   */
  append(batch: PackedBatch): Promise<number>
  /** Adds to the retransmissions of rows; all of them, or it rejects and none. Ids of rows that are gone are ignored. */
  amend(counts: readonly Retransmissions[]): Promise<void>
  /** Checkpoints and closes; resolves when the file is at rest, at the latest after `withinMs` where that is given. */
  close(withinMs?: number): Promise<void>
}

/** What is known of one bad actor, kept with the rows so that no question has to scan them. */
export interface BadActor {
  readonly ipAddress: string
  readonly seenFirst: string
  readonly seenLast: string
  readonly seenCount: number
  readonly bestProof: Proof
  /** When `bestProof` was first reached, and what showed it; null for none, `proofBy` also where a row does not say. */
  readonly proofAt: string | null
  readonly proofBy: string | null
}

/** What is known of one called number, as dialled. */
export interface CalledNumber {
  readonly calledNumber: string
  readonly seenFirst: string
  readonly seenLast: string
  readonly seenCount: number
  /** Of all events that dialled it, the best. */
  readonly bestProof: Proof
}

/** One row of `honey` as a reader gives it. */
export interface StoredEvent {
  readonly honeyId: number
  readonly timestamp: string
  readonly eventUuid: string
  readonly collectedMethod: string
  readonly transport: string
  readonly sourceIp: string
  readonly sourcePort: number | null
  readonly destinationIp: string | null
  readonly destinationPort: number | null
  readonly method: string
  readonly calledNumber: string
  readonly requestUser: string | null
  readonly userAgent: string
  readonly sipMessage: string
  readonly createdByNodeId: string
  readonly proof: string
  readonly fault: string | null
  readonly fingerprint: string | null
  readonly tool: string | null
  readonly proofBy: string | null
  readonly credentials: EventCredentials | null
  /** How often the same message arrived again. */
  readonly retransmissions: number
}

/** An event without its message. */
export type EventSummary = Omit<StoredEvent, 'sipMessage'>

export interface Tally {
  readonly value: string
  readonly seenCount: number
}

/** The newest events of one bad actor or number, and counts over them. */
export interface Profile {
  /** How many events the counts are over, at most as many as were asked for. */
  readonly examined: number
  /** Newest first, at most 10. */
  readonly newest: readonly EventSummary[]
  readonly methods: readonly Tally[]
  readonly userAgents: readonly Tally[]
  /** Called numbers of a bad actor; bad actors of a number. */
  readonly counterparts: readonly Tally[]
}

/** Where a page starts: behind the row with this time and key. */
export interface Position {
  readonly seenLast: string
  readonly key: string
}

export interface ListQuery {
  /** By the time last seen. */
  readonly order: 'newest' | 'oldest'
  /** Only what was last seen at or after this time (`YYYY-MM-DD HH:MM:SS…`, UTC). */
  readonly since?: string
  readonly after?: Position
  /** Absent: all of them. */
  readonly limit?: number
  /** At least this well proven: a number by the best of the events that dialled it. */
  readonly minProof?: Proof
}

export interface EventQuery {
  readonly ip?: IpAddress
  readonly number?: string
  readonly method?: string
  readonly since?: string
  /** At least this well proven. */
  readonly minProof?: Proof
  /** Only events with credentials. */
  readonly withCredentials?: boolean
  /** Only events with a smaller honeyId: the next page. */
  readonly before?: number
  readonly limit: number
}

export interface EventPage {
  /** Newest first. */
  readonly events: readonly StoredEvent[]
  /**
   * Where to go on, or null when there is nothing older. A page may hold fewer events than its limit and still go on:
   * one question looks at a bounded number of rows.
   */
  readonly nextBefore: number | null
}

/** One consistent view for a list, however long its reader takes; closed by whoever opened it. */
export interface Snapshot {
  badActors(query: ListQuery): IterableIterator<BadActor>
  calledNumbers(query: ListQuery): IterableIterator<CalledNumber>
  totals(): Totals
  close(): void
}

export interface Totals {
  readonly badActors: number
  readonly calledNumbers: number
}

/** The reading side. Sees every committed event; never waits for the writer; never scans events for a count. */
export interface EventReader {
  badActor(ip: IpAddress): BadActor | null
  /** Exactly this dialled string. */
  calledNumber(number: string): CalledNumber | null
  /**
   * Over the newest `examine` events, at most 100: each is a row somewhere in the file. `seenLast`, as this reader has
   * just given it for the same address or number, spares a search among later events.
   */
  badActorProfile(ip: IpAddress, examine: number, seenLast?: string): Profile
  calledNumberProfile(number: string, examine: number, seenLast?: string): Profile
  events(query: EventQuery): EventPage
  /** In a flood of new addresses or numbers up to five seconds old; a snapshot's are exact. */
  totals(): Totals
  /** Changes with every event and whatever else changes an answer; for ETags. */
  version(): string
  /** A view of its own for one long list. */
  snapshot(): Snapshot
  /** Bytes of the log of changes beside the file. While a snapshot is open it grows with every commit. */
  logBytes(): number
  close(): void
}
