// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import { levelOf } from './aggregate.ts'
import { CALLED_NUMBER, TIME_OF_ROW } from './schema.ts'

/** What is counted and indexed of a row of `honey`, as it is in the file: anybody may have written it. */
export interface CountedRow {
  readonly id: number
  readonly timestamp: string
  readonly sourceIp: unknown
  readonly calledNumber: string | null
  readonly requestUser: string | null
  readonly level: number
  readonly proofBy: string | null
}

/** Rows with ids above `after` and up to `upto`, in order, at most `most`. */
export type ReadCountedRows = (after: number, upto: number, most: number) => CountedRow[]

/** Makes the function that reads rows without their messages, which are most of a row. */
export function createCountedRows(database: DatabaseSync): ReadCountedRows {
  const query =
    database.prepare(`SELECT honey_id, ${TIME_OF_ROW}, source_ip, called_number, request_user, proof, proof_by
    FROM honey WHERE honey_id > ? AND honey_id <= ? ORDER BY honey_id LIMIT ?`)
  query.setReturnArrays(true)
  return (after, upto, most) => {
    const rows = query.all(after, upto, most) as unknown as unknown[][] // what setReturnArrays is for
    return rows.map(([id, timestamp, sourceIp, calledNumber, requestUser, proof, proofBy]) => ({
      id: Number(id),
      timestamp: textOrNull(timestamp) ?? '',
      sourceIp,
      calledNumber: textOrNull(calledNumber),
      requestUser: textOrNull(requestUser),
      level: levelOf(proof),
      proofBy: textOrNull(proofBy),
    }))
  }
}

/** The dialled strings of a row, each once; `isCounted` says whether one is listed as a called number. */
export function numbersOf({ calledNumber, requestUser }: CountedRow): string[] {
  if (calledNumber === null) return requestUser === null ? [] : [requestUser]
  return requestUser === null || requestUser === calledNumber ? [calledNumber] : [calledNumber, requestUser]
}

/** Digits with an optional plus: what counts as a called number. */
export function isCounted(number: string): boolean {
  return CALLED_NUMBER.test(number)
}

function textOrNull(cell: unknown): string | null {
  return typeof cell === 'string' ? cell : null
}
