// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { EventSummary, Profile, Tally } from '../store.ts'

const PROFILE_NEWEST = 10

/** What the newest events of a bad actor or a number, newest first, have in common. */
export function profile(events: readonly EventSummary[], counterpart: 'calledNumber' | 'sourceIp'): Profile {
  return {
    examined: events.length,
    newest: events.slice(0, PROFILE_NEWEST),
    methods: tally(events, 'method'),
    userAgents: tally(events, 'userAgent'),
    counterparts: tally(events, counterpart),
  }
}

/** Most frequent first. */
function tally(events: readonly EventSummary[], of: 'method' | 'userAgent' | 'calledNumber' | 'sourceIp'): Tally[] {
  const tallies = new Map<string, { value: string; seenCount: number }>()
  let last: { value: string; seenCount: number } | undefined
  for (const event of events) {
    const value = event[of]
    // Mostly the same one goes on: comparing it costs a tenth of looking it up.
    if (last?.value !== value) {
      last = tallies.get(value) ?? { value, seenCount: 0 }
      tallies.set(value, last)
    }
    last.seenCount++
  }
  return tallies.size < 2 ? [...tallies.values()] : [...tallies.values()].sort(byCount)
}

function byCount(one: Tally, other: Tally): number {
  return other.seenCount - one.seenCount
}
