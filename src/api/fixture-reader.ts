// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { PROOF_LEVELS, type Proof } from '../event/event.ts'
import type { BadActor, CalledNumber, EventReader, ListQuery, Snapshot, StoredEvent, Tally } from '../store/store.ts'

/** An `EventReader` over events in memory, for tests of the API. Events added later are seen at once. */
export interface FixtureReader extends EventReader {
  add(...events: readonly Partial<StoredEvent>[]): void
  /** Snapshots that are open at present. */
  openSnapshots(): number
  /** Makes every row of every list throw from now on. */
  breakRows(): void
}

export function createFixtureReader(...events: readonly Partial<StoredEvent>[]): FixtureReader {
  const stored: StoredEvent[] = []
  let open = 0
  let broken = false
  const reader: FixtureReader = {
    add(...more) {
      for (const event of more) stored.push(storedEvent(stored.length + 1, event))
    },
    openSnapshots: () => open,
    breakRows() {
      broken = true
    },
    badActor: (ip) => badActors(stored).find((actor) => actor.ipAddress === ip) ?? null,
    calledNumber: (number) => calledNumbers(stored).find((row) => row.calledNumber === number) ?? null,
    badActorProfile: (ip, examine) =>
      profile(
        stored.filter((event) => event.sourceIp === ip),
        (event) => event.calledNumber,
        examine,
      ),
    calledNumberProfile: (number, examine) =>
      profile(
        stored.filter((event) => event.calledNumber === number),
        (event) => event.sourceIp,
        examine,
      ),
    events({ ip, number, method, since, minProof, withCredentials, before = Infinity, limit }) {
      const matching = stored
        .toReversed()
        .filter(
          (event) =>
            event.honeyId < before &&
            (ip === undefined || event.sourceIp === ip) &&
            (number === undefined || event.calledNumber === number) &&
            (method === undefined || event.method === method) &&
            (since === undefined || event.timestamp >= since) &&
            isProven(event.proof, minProof) &&
            (withCredentials !== true || event.credentials !== null),
        )
      const page = matching.slice(0, limit)
      return { events: page, nextBefore: matching.length > limit ? (page.at(-1)?.honeyId ?? null) : null }
    },
    totals: () => ({ badActors: badActors(stored).length, calledNumbers: calledNumbers(stored).length }),
    version: () => String(stored.length),
    logBytes: () => 0,
    snapshot: () => {
      open++
      return openSnapshot([...stored])
    },
    close: () => {},
  }

  function openSnapshot(events: readonly StoredEvent[]): Snapshot {
    const actors = badActors(events)
    const numbers = calledNumbers(events)
    return {
      badActors: (query) => rows(actors, query, (actor) => actor.ipAddress),
      calledNumbers: (query) => rows(numbers, query, (row) => row.calledNumber),
      totals: () => ({ badActors: actors.length, calledNumbers: numbers.length }),
      close: () => {
        open--
      },
    }
  }

  function* rows<Row extends BadActor | CalledNumber>(
    all: readonly Row[],
    query: ListQuery,
    keyOf: (row: Row) => string,
  ) {
    const sign = query.order === 'newest' ? -1 : 1
    const compare = (a: Row, b: Row) => sign * order(a.seenLast, keyOf(a), b.seenLast, keyOf(b))
    const { after, since = '', limit = Infinity } = query
    const sorted = all
      .filter((row) => row.seenLast >= since && isProven(row.bestProof, query.minProof))
      .filter((row) => !after || sign * order(row.seenLast, keyOf(row), after.seenLast, after.key) > 0)
      .toSorted(compare)
    for (const row of sorted.slice(0, limit)) {
      if (broken) throw new Error('disk I/O error')
      yield row
    }
  }

  reader.add(...events)
  return reader
}

function order(seenA: string, keyA: string, seenB: string, keyB: string): number {
  if (seenA !== seenB) return seenA < seenB ? -1 : 1
  return keyA < keyB ? -1 : Number(keyA > keyB)
}

function storedEvent(honeyId: number, event: Partial<StoredEvent>): StoredEvent {
  return {
    honeyId,
    timestamp: `2026-01-01 00:00:${String(honeyId % 60).padStart(2, '0')}.000000000`,
    eventUuid: `019b0000-0000-7000-8000-${String(honeyId).padStart(12, '0')}`,
    collectedMethod: 'passive',
    transport: 'UDP',
    sourceIp: '8.8.8.8',
    sourcePort: 5060,
    destinationIp: '9.9.9.9',
    destinationPort: 5060,
    method: 'INVITE',
    calledNumber: '100',
    requestUser: null,
    userAgent: 'friendly-scanner',
    sipMessage: 'INVITE sip:100@9.9.9.9 SIP/2.0\r\n\r\n',
    createdByNodeId: 'b0ebb95c-07a8-4bda-a5d4-4e0a4b0a1a3c',
    proof: 'none',
    fault: null,
    fingerprint: null,
    tool: null,
    proofBy: null,
    credentials: null,
    retransmissions: 0,
    ...event,
  }
}

function badActors(events: readonly StoredEvent[]): BadActor[] {
  return [...Map.groupBy(events, (event) => event.sourceIp)].map(([ipAddress, own]) => ({
    ipAddress,
    ...seen(own),
    ...shown(own),
  }))
}

function shown(events: readonly StoredEvent[]): Pick<BadActor, 'bestProof' | 'proofAt' | 'proofBy'> {
  const bestProof = bestProofOf(events)
  if (bestProof === 'none') return { bestProof, proofAt: null, proofBy: null }
  const first = events
    .filter(({ proof }) => proof === bestProof)
    .toSorted((a, b) => order(a.timestamp, '', b.timestamp, ''))[0]
  return { bestProof, proofAt: first?.timestamp ?? null, proofBy: first?.proofBy ?? null }
}

function bestProofOf(events: readonly StoredEvent[]): Proof {
  return PROOF_LEVELS.findLast((level) => events.some(({ proof }) => proof === level)) ?? 'none'
}

function calledNumbers(events: readonly StoredEvent[]): CalledNumber[] {
  const dialled = events.filter(({ calledNumber }) => /^\+?[0-9]+$/.test(calledNumber))
  return [...Map.groupBy(dialled, (event) => event.calledNumber)].map(([calledNumber, own]) => ({
    calledNumber,
    ...seen(own),
    bestProof: bestProofOf(own),
  }))
}

function seen(events: readonly StoredEvent[]) {
  const times = events.map(({ timestamp }) => timestamp).toSorted()
  return { seenFirst: times[0] ?? '', seenLast: times.at(-1) ?? '', seenCount: events.length }
}

function isProven(proof: string, minProof: Proof = 'none'): boolean {
  return PROOF_LEVELS.indexOf(proof as Proof) >= PROOF_LEVELS.indexOf(minProof)
}

function profile(all: readonly StoredEvent[], counterpart: (event: StoredEvent) => string, examine: number) {
  const events = all.slice(Math.max(0, all.length - examine))
  const tally = (textOf: (event: StoredEvent) => string): Tally[] =>
    [...Map.groupBy(events, textOf)]
      .map(([value, own]) => ({ value, seenCount: own.length }))
      .toSorted((a, b) => b.seenCount - a.seenCount)
  return {
    examined: events.length,
    newest: events.toReversed().slice(0, 10),
    methods: tally((event) => event.method),
    userAgents: tally((event) => event.userAgent),
    counterparts: tally(counterpart),
  }
}
