// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { chmod } from 'node:fs/promises'
import { sqlite } from './evidence.ts'

const C_SCHEMA = `
CREATE TABLE honey (honey_id INTEGER PRIMARY KEY, event_timestamp TEXT, event_uuid TEXT, collected_method TEXT,
 source_ip TEXT, called_number TEXT, transport_type TEXT, method TEXT, user_agent TEXT, sip_message TEXT,
 created_by_node_id TEXT, created_at DATETIME DEFAULT(STRFTIME('%Y-%m-%d %H:%M:%f','NOW')));
CREATE INDEX source_ip_index ON honey (source_ip);
CREATE INDEX called_number_index ON honey (called_number);
CREATE INDEX event_uuid_index ON honey (event_uuid);`

const C_NODE = 'fac3fa20-8c2c-445b-8661-50a70fa9e873'

/** A row as the C program inserts it; null stands for a NULL cell. */
export interface CRow {
  readonly timestamp?: string | null
  readonly sourceIp: string | null
  readonly calledNumber?: string | null
  readonly agent?: string | null
}

/** What versions 1 to 4 of the C program have left in people's files, and what somebody with a shell has. */
export const C_ROWS: readonly CRow[] = [
  { sourceIp: '203.0.113.9', calledNumber: '0046500729221', timestamp: '2022-01-16 17:35:12.123456789' },
  { sourceIp: '203.0.113.9:5074', calledNumber: '+46500729221', timestamp: '2024-03-01 08:00:00.5' }, // "…00.000000005"
  { sourceIp: '203.0.113.10:5060', calledNumber: '100', timestamp: '2024-03-01 08:00:00.61234567' },
  { sourceIp: '[2001:db8::7]:5060', calledNumber: '100', timestamp: '2024-03-01 08:00:01.000000001' },
  { sourceIp: '2001:DB8:0::7', calledNumber: 'NOT_FOUND', timestamp: '2024-03-01 08:00:02.000000002' },
  { sourceIp: '198.51.100.3:5061', calledNumber: 'admin', agent: 'it\'s "quoted", ünïcode and 世界' },
  { sourceIp: null, calledNumber: null, timestamp: null, agent: null },
  { sourceIp: 'no address', calledNumber: '200' },
]

/** Makes a file as the C program does, with these rows and `more` further ones of about 500 bytes. */
export async function makeCDatabase(file: string, rows: readonly CRow[], more = 0): Promise<void> {
  await sqlite(file, `${C_SCHEMA}${insertCRows(rows)}`)
  await sqlite(
    file,
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${more})
     INSERT INTO honey (event_timestamp, event_uuid, collected_method, source_ip, called_number, transport_type, method,
       user_agent, sip_message, created_by_node_id)
     SELECT '2023-05-05 05:05:05.000000005', hex(randomblob(16)), 'passive', '192.0.2.' || (i % 250) || ':5060',
       '00' || (i % 90), 'UDP', 'INVITE', 'pplsip', hex(randomblob(200)), '${C_NODE}' FROM n WHERE ${more} > 0`,
  )
  await chmod(file, 0o600)
}

/** The INSERT statements; with the C program's columns and no others. */
export function insertCRows(rows: readonly CRow[]): string {
  return rows
    .map((row, at) => {
      const { timestamp = '2023-05-05 05:05:05.5', sourceIp, calledNumber = null, agent = 'pplsip' } = row
      const cells = [
        timestamp,
        `c-${at}`,
        'responsive',
        sourceIp,
        calledNumber,
        'UDP',
        'INVITE',
        agent,
        `message ${at}`,
      ]
      return `INSERT INTO honey (event_timestamp, event_uuid, collected_method, source_ip, called_number, transport_type,
        method, user_agent, sip_message, created_by_node_id) VALUES (${[...cells, C_NODE].map(literal).join(', ')});`
    })
    .join('\n')
}

function literal(cell: string | null): string {
  return cell === null ? 'NULL' : `'${cell.replaceAll("'", "''")}'`
}
