// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { randomUUIDv7 } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { BadActorEvent } from '../../event/event.ts'
import type { IpAddress } from '../../net/ip.ts'

/** For tests: a folder that goes away with the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sentrypeer-test-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
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
    fault: null,
    fingerprint: null,
    tool: null,
    ...rest,
  }
}
