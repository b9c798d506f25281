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

type Row = Record<string, unknown>

/** A whole row of `honey`. */
export function storedEventOf(row: Row): StoredEvent {
  return { ...eventSummaryOf(row), sipMessage: text(row['sip_message']) }
}

export function eventSummaryOf(row: Row): EventSummary {
  return {
    honeyId: Number(row['honey_id']),
    timestamp: text(row['event_timestamp']) || text(row['created_at']), // TIME_OF_ROW
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
