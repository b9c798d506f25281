// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import { type BadActorEvent, NOT_FOUND } from '../../event/event.ts'

/** The columns that an event fills, in the order in which `insertRows` binds them. */
const COLUMNS = [
  'created_at',
  'event_timestamp',
  'event_uuid',
  'collected_method',
  'source_ip',
  'called_number',
  'transport_type',
  'method',
  'user_agent',
  'sip_message',
  'created_by_node_id',
  'source_port',
  'destination_ip',
  'destination_port',
  'request_user',
  'proof',
  'origin',
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

const NO_CREDENTIALS = { user: null, realm: null, nonce: null, response: null, algorithm: null, password: null }

/**
 * Makes the function that inserts events, one or more, inside the caller's transaction. It gives the honeyId of the
 * first row; those of the others follow it one by one, since nobody else can insert meanwhile.
 */
export function createRowInsert(database: DatabaseSync): (events: readonly BadActorEvent[]) => number {
  const places = COLUMNS.map(() => '?').join(', ')
  const insert = database.prepare(`INSERT INTO honey (${COLUMNS.join(', ')}) VALUES (${places})`)
  // The column's own default, asked once for a batch: asked for every row it was an eighth of the cost of inserting.
  const now = database.prepare("SELECT STRFTIME('%Y-%m-%d %H:%M:%f','NOW') AS now, last_insert_rowid() AS id")

  return (events) => {
    const createdAt = String(now.get()?.['now'])
    for (const event of events) {
      const { user, realm, nonce, response, algorithm, password } = event.credentials ?? NO_CREDENTIALS
      // Not run(), which makes an object that says what was changed: 5 % of the whole.
      insert.get(
        createdAt,
        event.timestamp,
        event.eventUuid,
        event.collectedMethod,
        event.sourceIp,
        event.calledNumber ?? NOT_FOUND,
        event.transport,
        event.method ?? NOT_FOUND,
        event.userAgent ?? NOT_FOUND,
        event.sipMessage,
        event.createdByNodeId,
        event.sourcePort,
        event.destinationIp,
        event.destinationPort,
        event.requestUser,
        event.proof,
        event.origin,
        event.fault,
        event.fingerprint,
        event.tool,
        event.proofBy,
        user,
        realm,
        nonce,
        response,
        algorithm,
        password,
      )
    }
    return Number(now.get()?.['id']) - events.length + 1
  }
}
