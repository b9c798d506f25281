// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { NOT_FOUND } from '../event/event.ts'
import { proofAndCredentials } from '../event/json.ts'
import type { EventSummary, StoredEvent } from '../store/store.ts'
import type { JsonSchema } from './route.ts'

const SUMMARY_KEYS = [
  'event_timestamp',
  'event_uuid',
  'created_by_node_id',
  'collected_method',
  'transport_type',
  'source_ip',
  'destination_ip',
  'called_number',
  'sip_method',
  'sip_user_agent',
  'source_port',
  'destination_port',
  'proof',
  'request_user',
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
] as const

/** An event without its message, as the details of a bad actor or a number list it. */
export const EVENT_SUMMARY_SCHEMA = schemaOf(SUMMARY_KEYS)

/** An event with its message. Names and values are those of the JSON log; `retransmissions` is known only later. */
export const EVENT_SCHEMA = schemaOf([...SUMMARY_KEYS, 'retransmissions', 'sip_message'])

/** An event as the JSON log writes it: strings only, without the message. What a row does not have is empty. */
export function eventSummary(event: EventSummary) {
  return {
    event_timestamp: event.timestamp,
    event_uuid: event.eventUuid,
    created_by_node_id: event.createdByNodeId,
    collected_method: event.collectedMethod,
    transport_type: event.transport,
    source_ip: event.sourceIp,
    destination_ip: event.destinationIp ?? '',
    called_number: event.calledNumber,
    sip_method: event.method,
    sip_user_agent: event.userAgent,
    source_port: event.sourcePort === null ? '' : String(event.sourcePort),
    destination_port: event.destinationPort === null ? '' : String(event.destinationPort),
    proof: event.proof,
    request_user: event.requestUser ?? NOT_FOUND,
    fault: event.fault ?? '',
    fingerprint: event.fingerprint ?? '',
    tool: event.tool ?? '',
    ...proofAndCredentials(event),
  } satisfies Record<(typeof SUMMARY_KEYS)[number], string>
}

/**
 * The same with the message as received, and how often it arrived again. A summary leaves that number out: it changes
 * after the event was counted, and the tags of details change with the counts.
 */
export function eventBody(event: StoredEvent) {
  return {
    ...eventSummary(event),
    retransmissions: String(event.retransmissions),
    sip_message: event.sipMessage,
  }
}

function schemaOf(keys: readonly string[]): JsonSchema {
  return {
    type: 'object',
    required: keys,
    properties: Object.fromEntries(keys.map((key) => [key, { type: 'string' }])),
  }
}
