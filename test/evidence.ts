// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { run } from './run.ts'

/** A row of `honey` as the sqlite3 shell gives it. */
export interface HoneyRow {
  readonly honey_id: number
  readonly event_timestamp: string
  readonly event_uuid: string
  readonly collected_method: string
  readonly source_ip: string
  readonly called_number: string
  readonly transport_type: string
  readonly method: string
  readonly user_agent: string
  readonly sip_message: string
  readonly created_by_node_id: string
  readonly created_at: string
  readonly source_port: number
  readonly destination_ip: string
  readonly destination_port: number
  readonly request_user: string | null
  readonly proof: string
  readonly fault: string | null
  readonly fingerprint: string | null
  readonly tool: string | null
  readonly proof_by: string | null
  readonly auth_user: string | null
  readonly auth_realm: string | null
  readonly auth_nonce: string | null
  readonly auth_response: string | null
  readonly auth_algorithm: string | null
  readonly auth_password: string | null
  readonly retransmissions: number
}

export type JsonLine = Readonly<Record<string, string>>

/** What a query gives, asked by the sqlite3 shell: a reader of its own, also while the daemon writes. */
export async function sqlite<Row>(file: string, sql: string): Promise<Row[]> {
  const { code, stdout, stderr } = await run(['sqlite3', '-batch', '-json', '-cmd', '.timeout 5000', file, sql])
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, sql)
  return stdout === '' ? [] : JSON.parse(stdout)
}

export function honeyRows(file: string): Promise<HoneyRow[]> {
  return sqlite(file, 'SELECT * FROM honey ORDER BY honey_id')
}

/** The objects of a JSON log; every line has to be one. */
export async function jsonLines(file: string): Promise<JsonLine[]> {
  const text = await readFile(file, 'utf8')
  assert.ok(text === '' || text.endsWith('\n'), 'the last line is torn')
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
}

export function callIdOf(message: string): string {
  return /^Call-ID: (.*)\r$/m.exec(message)?.[1] ?? ''
}

/** Fails with the ids on one side only, or twice on one, which says more than two long lists. */
export function assertSameIds(actual: readonly string[], expected: readonly string[], what: string): void {
  const [here, there] = [new Set(actual), new Set(expected)]
  const missing = [...there].filter((id) => !here.has(id))
  const extra = [...here].filter((id) => !there.has(id))
  assert.deepEqual({ missing, extra, twice: repeated(actual) }, { missing: [], extra: [], twice: [] }, what)
}

function repeated(ids: readonly string[]): string[] {
  const seen = new Set<string>()
  return ids.filter((id) => seen.size === seen.add(id).size)
}
