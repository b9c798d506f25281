// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'

const LOOK_EVERY_MS = 10

/**
 * Looks until `probe` gives something that is neither false, null nor undefined, and resolves with that. Rejects after
 * `withinMs` with what was waited for, and with what `state` says of how far it came.
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | Promise<T>,
  { withinMs = 10_000, state = () => '' }: { readonly withinMs?: number; readonly state?: () => string } = {},
): Promise<Exclude<T, false | null | undefined>> {
  const deadlineMs = performance.now() + withinMs
  for (;;) {
    const found = await probe()
    if (found !== false && found !== null && found !== undefined) {
      return found as Exclude<T, false | null | undefined> // the line above; TypeScript narrows no type parameter
    }
    if (performance.now() > deadlineMs) assert.fail(`waited ${withinMs} ms in vain for ${what}\n${state()}`)
    await delay(LOOK_EVERY_MS)
  }
}
