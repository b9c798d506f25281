// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

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
  mostPerClient: 64, // chosen: an eighth of all; browsers have six, PBXs that keep theirs open a dozen
  rate: RATE_LIMITS,
}
