// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { randomUUIDv7 } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { BadActorEvent } from '../../event/event.ts'
import { openBatch, type PackedBatch, slabBytesFor } from '../../event/packed.ts'
import type { IpAddress } from '../../net/ip.ts'
import type { EventQuery, EventReader } from '../store.ts'
import { CATCH_UP_SIZES, type CatchUp, createCatchUp } from './catch-up.ts'
import { openForWriting } from './open.ts'
import { openSqliteReader } from './reader.ts'
import { createHoneyTable, type HoneyTable } from './table.ts'

/** For tests: a folder that goes away with the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sentrypeer-test-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** For tests: a table on a new file with what makes the views follow it, and a reader beside it. */
export function temporaryStore(t: TestContext, sizes: typeof CATCH_UP_SIZES = CATCH_UP_SIZES) {
  const file = join(temporaryFolder(t), 'x.db')
  const database = openForWriting(file, { sync: 'normal', onProgress: () => {} })
  const table = createHoneyTable(database)
  const catchUp = createCatchUp(database, sizes)
  const reader = openSqliteReader(file)
  t.after(() => {
    reader.close()
    database.close()
  })
  return { file, database, table, catchUp, reader }
}

/** For tests: as on a node that nobody probes, until nothing is left to do. */
export function settle(catchUp: CatchUp): void {
  while (catchUp.step(true));
}

/** For tests: gives the honeyId of the first. */
export function add(table: HoneyTable, ...events: BadActorEvent[]): number {
  return table.append(batchOf(...events))
}

/** For tests: a batch of these events. */
export function batchOf(...events: readonly BadActorEvent[]): PackedBatch {
  const bytes = events.reduce((sum, event) => sum + slabBytesFor(event), 0)
  const open = openBatch(new ArrayBuffer(bytes), events[0] ?? eventOf())
  for (const event of events) if (!open.add(event)) throw new Error('these events are not of one node')
  return open.batch
}

/** For tests: the ids of all events that a query finds, page by page. */
export function allEvents(reader: EventReader, query: Omit<EventQuery, 'limit'> = {}, limit = 7): string[] {
  const uuids: string[] = []
  for (let before: number | null | undefined; before !== null; ) {
    const page = reader.events({ ...query, limit, ...(before === undefined ? {} : { before }) })
    uuids.push(...page.events.map(({ eventUuid }) => eventUuid))
    before = page.nextBefore
  }
  return uuids
}

/** For tests: an event with what the test cares about changed. */
export function eventOf(changes: Partial<Omit<BadActorEvent, 'sourceIp'>> & { sourceIp?: string } = {}): BadActorEvent {
  const { sourceIp = '198.51.100.7', ...rest } = changes
  return {
    origin: 'observed',
    eventUuid: randomUUIDv7(),
    timestamp: '2026-11-22 01:02:03.000000004',
    collectedMethod: 'passive',
    transport: 'UDP',
    sourceIp: sourceIp as IpAddress,
    sourcePort: 5060,
    destinationIp: '127.0.0.1' as IpAddress,
    destinationPort: 5060,
    method: 'INVITE',
    calledNumber: '00046500729221',
    requestUser: null,
    userAgent: 'friendly-scanner',
    sipMessage: 'INVITE sip:00046500729221@127.0.0.1 SIP/2.0\r\n\r\n',
    createdByNodeId: '00000000-0000-4000-8000-000000000000',
    proof: 'none',
    proofBy: null,
    credentials: null,
    fault: null,
    fingerprint: null,
    tool: null,
    ...rest,
  }
}
