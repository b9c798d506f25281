// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { EventSummary, Profile, Tally } from '../store.ts'

const PROFILE_NEWEST = 10

/** What the newest events of a bad actor or a number, newest first, have in common. */
export function profile(events: readonly EventSummary[], counterpart: 'calledNumber' | 'sourceIp'): Profile {
  return {
    examined: events.length,
    newest: events.slice(0, PROFILE_NEWEST),
    methods: tally(events.map(({ method }) => method)),
    userAgents: tally(events.map(({ userAgent }) => userAgent)),
    counterparts: tally(events.map((event) => event[counterpart])),
  }
}

/** Most frequent first. */
function tally(values: readonly string[]): Tally[] {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts]
    .map(([value, seenCount]) => ({ value, seenCount }))
    .sort((one, other) => other.seenCount - one.seenCount)
}
