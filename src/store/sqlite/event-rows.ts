// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { EventCredentials } from '../../event/event.ts'
import type { EventSummary, StoredEvent } from '../store.ts'

/** The columns that `eventSummaryOf` reads: all that an event has but its message, which is most of a row. */
export const SUMMARY_COLUMNS = [
  'honey_id',
  'event_timestamp',
  'created_at',
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

type Cells = readonly unknown[]

const AT = Object.fromEntries(SUMMARY_COLUMNS.map((column, at) => [column, at])) as Readonly<
  Record<(typeof SUMMARY_COLUMNS)[number], number>
>

/** The cells of `SUMMARY_COLUMNS`, and then that of the message. */
export function storedEventOf(cells: Cells): StoredEvent {
  return { ...eventSummaryOf(cells), sipMessage: text(cells[SUMMARY_COLUMNS.length]) }
}

/** The cells of `SUMMARY_COLUMNS`. */
export function eventSummaryOf(cells: Cells): EventSummary {
  return {
    honeyId: Number(cells[AT.honey_id]),
    timestamp: text(cells[AT.event_timestamp]) || text(cells[AT.created_at]), // TIME_OF_ROW
    eventUuid: text(cells[AT.event_uuid]),
    collectedMethod: text(cells[AT.collected_method]),
    transport: text(cells[AT.transport_type]),
    sourceIp: text(cells[AT.source_ip]),
    sourcePort: numberOrNull(cells[AT.source_port]),
    destinationIp: textOrNull(cells[AT.destination_ip]),
    destinationPort: numberOrNull(cells[AT.destination_port]),
    method: text(cells[AT.method]),
    calledNumber: text(cells[AT.called_number]),
    requestUser: textOrNull(cells[AT.request_user]),
    userAgent: text(cells[AT.user_agent]),
    createdByNodeId: text(cells[AT.created_by_node_id]),
    proof: text(cells[AT.proof]),
    fault: textOrNull(cells[AT.fault]),
    fingerprint: textOrNull(cells[AT.fingerprint]),
    tool: textOrNull(cells[AT.tool]),
    proofBy: textOrNull(cells[AT.proof_by]),
    credentials: credentialsOf(cells),
    retransmissions: numberOrNull(cells[AT.retransmissions]) ?? 0,
  }
}

function credentialsOf(cells: Cells): EventCredentials | null {
  const user = textOrNull(cells[AT.auth_user])
  if (user === null) return null
  return {
    user,
    realm: text(cells[AT.auth_realm]),
    nonce: text(cells[AT.auth_nonce]),
    response: text(cells[AT.auth_response]),
    algorithm: text(cells[AT.auth_algorithm]),
    password: textOrNull(cells[AT.auth_password]),
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
