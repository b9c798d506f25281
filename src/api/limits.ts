// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { MOST } from '../ops/open-files.ts'
import { LIST_LIMITS, type ListLimits } from './lists.ts'
import { RATE_LIMITS, type RateLimits } from './rate-limit.ts'

/** When the API gives up on a request, a list or a connection. Tests use shorter ones. */
export interface ApiLimits extends ListLimits {
  /** For receiving a whole request: an absolute deadline, not an idle timer. */
  readonly requestMs: number
  /** How often that deadline is looked at. */
  readonly checkEveryMs: number
  /** For answers on their way when the API stops. */
  readonly stopGraceMs: number
  /** What makes lists ends so long after the last one: its memory goes with it. */
  readonly listIdleMs: number
  /** Connections at a time of all clients; more are closed at once. */
  readonly maxConnections: number
  /** Connections at a time of each client that is not on this machine, nor unlimited. */
  readonly mostPerClient: number
  /** Of each client that is not on this machine. */
  readonly rate: RateLimits
}

export const API_LIMITS: ApiLimits = {
  ...LIST_LIMITS,
  requestMs: 10_000,
  checkEveryMs: 1_000,
  stopGraceMs: 500, // of the 5 s that a stop of the whole node may take
  listIdleMs: 30_000, // chosen: who pages through a list finds it there, starting it takes some 50 ms
  maxConnections: MOST.apiConnections,
  mostPerClient: 64, // chosen: an eighth of all; browsers have six, PBXs that keep theirs open a dozen
  rate: RATE_LIMITS,
}

const LEAST_PER_CLIENT = 6 // as many as a browser opens

/** The limits with fewer places: of those, one client has the same part as of many. */
export function limitsWithin({ connections, lists }: { connections: number; lists: number }): ApiLimits {
  const part = (most: number, of: number, all: number, least: number) =>
    Math.max(Math.min(least, of), Math.ceil((most * of) / all))
  return {
    ...API_LIMITS,
    maxConnections: connections,
    mostPerClient: part(API_LIMITS.mostPerClient, connections, API_LIMITS.maxConnections, LEAST_PER_CLIENT),
    maxLists: lists,
    maxListsPerClient: part(API_LIMITS.maxListsPerClient, lists, API_LIMITS.maxLists, 1),
  }
}
