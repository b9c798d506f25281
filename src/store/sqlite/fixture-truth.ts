// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { PROOF_LEVELS, type Proof } from '../../event/event.ts'
import type { IpAddress } from '../../net/ip.ts'
import type { EventReader, ListQuery } from '../store.ts'
import { allEvents } from './fixture.ts'
import { CALLED_NUMBER } from './schema.ts'
import { splitSource } from './source.ts'

/** For tests: one row of `honey`, as a model of the file has it. */
export interface TrueRow {
  readonly id: number
  readonly uuid: string | null
  readonly timestamp: string
  readonly source: string
  readonly numbers: readonly string[]
  readonly proof: string
}

interface TrueKey {
  readonly key: string
  readonly count: number
  readonly first: string
  readonly last: string
  readonly best: number
  readonly proofAt: string | null
}

/** For tests: all rows that a file has, read without any of our code but the splitting of sources. */
export function rowsIn(file: string): TrueRow[] {
  const database = new DatabaseSync(file, { readOnly: true })
  const rows = database
    .prepare(`SELECT honey_id, event_uuid, iif(event_timestamp > '', event_timestamp, created_at) AS at, source_ip,
      called_number, request_user, proof FROM honey`)
    .all()
  database.close()
  return rows.map((row) => ({
    id: Number(row['honey_id']),
    uuid: row['event_uuid'] === null ? null : String(row['event_uuid']),
    timestamp: String(row['at']),
    source: splitSource(row['source_ip']).address ?? '',
    numbers: [...new Set([row['called_number'], row['request_user']])].filter((number) => number !== null).map(String),
    proof: String(row['proof']),
  }))
}

/** What is known of the keys of rows, found out the long way, oldest first. */
function truth(rows: readonly TrueRow[], keysOf: (row: TrueRow) => readonly string[]): TrueKey[] {
  const byKey = Map.groupBy(
    rows.flatMap((row) => keysOf(row).map((key) => ({ key, row }))),
    ({ key }) => key,
  )
  return [...byKey]
    .map(([key, found]) => {
      const own = found.map(({ row }) => row)
      const times = own.map(({ timestamp }) => timestamp).sort()
      const best = Math.max(...own.map(({ proof }) => PROOF_LEVELS.indexOf(proof as Proof)))
      const proven = own.filter(({ proof }) => best > 0 && proof === PROOF_LEVELS[best])
      const proofAt = proven.map(({ timestamp }) => timestamp).sort()[0] ?? null
      return { key, count: own.length, first: times[0] ?? '', last: times.at(-1) ?? '', best, proofAt }
    })
    .sort((one, other) => (`${one.last} ${one.key}` < `${other.last} ${other.key}` ? -1 : 1))
}

function actors(reader: EventReader, query: ListQuery): TrueKey[] {
  const snapshot = reader.snapshot()
  const rows = [...snapshot.badActors(query)]
  snapshot.close()
  return rows.map(({ ipAddress: key, seenCount: count, seenFirst: first, seenLast: last, bestProof, proofAt }) => {
    return { key, count, first, last, best: PROOF_LEVELS.indexOf(bestProof), proofAt }
  })
}

function numbers(reader: EventReader, query: ListQuery): Omit<TrueKey, 'proofAt'>[] {
  const snapshot = reader.snapshot()
  const rows = [...snapshot.calledNumbers(query)]
  snapshot.close()
  return rows.map(({ calledNumber: key, seenCount: count, seenFirst: first, seenLast: last, bestProof }) => {
    return { key, count, first, last, best: PROOF_LEVELS.indexOf(bestProof) }
  })
}

/**
 * For tests: a reader gives what a scan of all rows gives. `counted`: the rows that were ever there; `present`: those
 * that still are.
 */
export function checkAll(
  reader: EventReader,
  counted: readonly TrueRow[],
  present: readonly TrueRow[],
  pageLength = 3,
): void {
  const trueActors = truth(counted, ({ source }) => (source === '' ? [] : [source]))
  const trueNumbers = truth(counted, (row) => row.numbers.filter((number) => CALLED_NUMBER.test(number))).map(
    ({ proofAt, ...known }) => known,
  )
  checkLists(reader, trueActors, trueNumbers)
  const newest = present.toSorted((one, other) => other.id - one.id)
  for (const ip of new Set(counted.map(({ source }) => source)).add('192.0.2.200')) {
    const known = trueActors.find(({ key }) => key === ip)
    const actor = reader.badActor(ip as IpAddress)
    assert.deepEqual([actor?.seenCount, actor?.proofAt], [known?.count, known?.proofAt])
    const own = newest.filter(({ source }) => source === ip && source !== '')
    assert.deepEqual(
      allEvents(reader, { ip: ip as IpAddress }, pageLength),
      own.map(({ uuid }) => uuid ?? ''),
    )
    for (const seenLast of [undefined, actor?.seenLast]) {
      assert.deepEqual(
        reader.badActorProfile(ip as IpAddress, 100, seenLast).newest.map(({ honeyId }) => honeyId),
        own.slice(0, 10).map(({ id }) => id),
      )
    }
  }
  for (const number of new Set(counted.flatMap((row) => row.numbers)).add('none')) {
    const own = newest.filter((row) => row.numbers.includes(number))
    assert.deepEqual(
      allEvents(reader, { number }, pageLength),
      own.map(({ uuid }) => uuid ?? ''),
    )
    const found = reader.calledNumber(number)
    for (const seenLast of [undefined, found?.seenLast])
      assert.equal(reader.calledNumberProfile(number, 100, seenLast).examined, Math.min(100, own.length))
    assert.equal(found?.seenCount, trueNumbers.find(({ key }) => key === number)?.count)
  }
}

function checkLists(
  reader: EventReader,
  trueActors: readonly TrueKey[],
  trueNumbers: readonly Omit<TrueKey, 'proofAt'>[],
): void {
  assert.deepEqual(actors(reader, { order: 'oldest' }), trueActors)
  assert.deepEqual(actors(reader, { order: 'newest' }), trueActors.toReversed())
  assert.deepEqual(numbers(reader, { order: 'newest', limit: 2 }), trueNumbers.toReversed().slice(0, 2))
  assert.deepEqual(numbers(reader, { order: 'oldest', limit: 2 }), trueNumbers.slice(0, 2))
  const [, second] = trueNumbers
  if (second !== undefined) {
    const after = { seenLast: second.last, key: second.key }
    assert.deepEqual(numbers(reader, { order: 'oldest', after }), trueNumbers.slice(2), 'a further page')
    assert.deepEqual(numbers(reader, { order: 'newest', after, limit: 1 }), trueNumbers.slice(0, 1), 'a further page')
    const late = trueNumbers.filter(({ last }) => last >= second.last)
    assert.deepEqual(numbers(reader, { order: 'oldest', since: second.last }), late)
  }
  for (const minProof of ['echo', 'handshake'] as const) {
    const isProven = ({ best }: { best: number }) => best >= PROOF_LEVELS.indexOf(minProof)
    const proven = trueActors.filter(isProven)
    assert.deepEqual(actors(reader, { order: 'oldest', minProof }), proven)
    assert.deepEqual(actors(reader, { order: 'newest', minProof, limit: 2 }), proven.toReversed().slice(0, 2))
    const newest = trueNumbers.filter(isProven).toReversed()
    assert.deepEqual(numbers(reader, { order: 'newest', minProof }), newest)
    const [first] = newest
    if (first === undefined) continue
    const after = { seenLast: first.last, key: first.key }
    assert.deepEqual(numbers(reader, { order: 'newest', minProof, after }), newest.slice(1))
  }
  const totals = { badActors: trueActors.length, calledNumbers: trueNumbers.length }
  assert.deepEqual(reader.totals(), totals)
  const snapshot = reader.snapshot()
  assert.deepEqual(snapshot.totals(), totals)
  snapshot.close()
}
