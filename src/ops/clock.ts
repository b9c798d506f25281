// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** Wall clock and steady clock in one, handed down as an argument so that tests can stand in for it. */
export interface Clock {
  /** Milliseconds since 1970 with a fraction; follows the system clock when that is set. */
  wallMs(): number
  /** Milliseconds of a clock that never goes back; for deadlines and rates. */
  steadyMs(): number
}

const MAX_DRIFT_MS = 5 // chosen: above the millisecond steps of Date.now(), far below any real clock change
const LOOK_EVERY_MS = 1 // the steps of Date.now(): it has nothing new to say before

/**
 * The system's clocks. `Date.now()` has whole milliseconds only, so the fraction comes from the steady clock, which
 * is tied to the wall clock again whenever the two have drifted apart (NTP, an operator, a suspended laptop). In a flood
 * that is looked at once a millisecond.
 */
export function systemClock(): Clock {
  let offsetMs = Date.now() - performance.now()
  let lookedAtMs = Number.NEGATIVE_INFINITY
  return {
    steadyMs: () => performance.now(),
    wallMs() {
      const steadyMs = performance.now()
      const wallMs = steadyMs + offsetMs
      if (steadyMs - lookedAtMs < LOOK_EVERY_MS) return wallMs
      lookedAtMs = steadyMs
      const wholeMs = Date.now()
      if (Math.abs(wallMs - wholeMs) <= MAX_DRIFT_MS) return wallMs
      offsetMs = wholeMs - steadyMs
      return wholeMs
    },
  }
}

/**
 * Writes wall-clock milliseconds as `YYYY-MM-DD HH:MM:SS.nnnnnnnnn` in UTC, always nine digits, so that the text
 * sorts as the time does. The part up to the second is kept between calls.
 */
export function createTimestampFormat(): (wallMs: number) => string {
  const room = Buffer.alloc('YYYY-MM-DD HH:MM:SS.nnnnnnnnn'.length, '.')
  let second = Number.NaN
  return (wallMs) => {
    const whole = Math.floor(wallMs / 1000)
    if (whole !== second) {
      second = whole
      room.write(new Date(whole * 1000).toISOString().slice(0, 19).replace('T', ' '), 'latin1')
    }
    let nanoseconds = Math.floor((wallMs - whole * 1000) * 1e6)
    for (let at = room.length - 1; at >= room.length - 9; at--) {
      room[at] = 0x30 + (nanoseconds % 10)
      nanoseconds = Math.floor(nanoseconds / 10)
    }
    return room.toString('latin1')
  }
}
