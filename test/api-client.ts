// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { JsonLine } from './evidence.ts'

/** What the REST API says, as far as the tests ask. */
export interface ApiBody {
  readonly [key: string]: unknown
  readonly seen_count?: string
  readonly events?: readonly JsonLine[]
  readonly ip_addresses?: readonly { readonly ip_address: string; readonly seen_count: string }[]
  readonly called_numbers?: readonly { readonly called_number: string; readonly seen_count: string }[]
}

/** One GET to the API on 127.0.0.1. */
export async function getJson(port: number, path: string): Promise<{ status: number; body: ApiBody }> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(10_000) })
  return { status: answer.status, body: (await answer.json()) as ApiBody } // what is in it, the tests check
}
