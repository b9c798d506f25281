// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { LIST_LIMITS, type ListLimits } from './lists.ts'

/** When the API gives up on a request, a list or a connection. Tests use shorter ones. */
export interface ApiLimits extends ListLimits {
  /** For receiving a whole request: an absolute deadline, not an idle timer. */
  readonly requestMs: number
  /** How often that deadline is looked at. */
  readonly checkEveryMs: number
  /** For answers on their way when the API stops. */
  readonly stopGraceMs: number
}

export const API_LIMITS: ApiLimits = {
  ...LIST_LIMITS,
  requestMs: 10_000,
  checkEveryMs: 1_000,
  stopGraceMs: 500, // of the 5 s that a stop of the whole node may take
}
