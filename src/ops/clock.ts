// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** Wall clock and steady clock in one, handed down as an argument so that tests can stand in for it. */
export interface Clock {
  /** Milliseconds since 1970 with a fraction; follows the system clock when that is set. */
  wallMs(): number
  /** Milliseconds of a clock that never goes back; for deadlines and rates. */
  steadyMs(): number
}

const MAX_DRIFT_MS = 5 // chosen: above the millisecond steps of Date.now(), far below any real clock change

/**
 * The system's clocks. `Date.now()` has whole milliseconds only, so the fraction comes from the steady clock, which
 * is tied to the wall clock again whenever the two have drifted apart (NTP, an operator, a suspended laptop).
 */
export function systemClock(): Clock {
  let offsetMs = Date.now() - performance.now()
  return {
    steadyMs: () => performance.now(),
    wallMs() {
      const wholeMs = Date.now()
      const wallMs = performance.now() + offsetMs
      if (Math.abs(wallMs - wholeMs) <= MAX_DRIFT_MS) return wallMs
      offsetMs = wholeMs - performance.now()
      return wholeMs
    },
  }
}

/**
 * Writes wall-clock milliseconds as `YYYY-MM-DD HH:MM:SS.nnnnnnnnn` in UTC, always nine digits, so that the text
 * sorts as the time does. The part up to the second is kept between calls.
 */
export function createTimestampFormat(): (wallMs: number) => string {
  let second = Number.NaN
  let prefix = ''
  return (wallMs) => {
    const whole = Math.floor(wallMs / 1000)
    if (whole !== second) {
      second = whole
      prefix = `${new Date(whole * 1000).toISOString().slice(0, 19).replace('T', ' ')}.`
    }
    const nanoseconds = Math.floor((wallMs - whole * 1000) * 1e6)
    return prefix + String(nanoseconds).padStart(9, '0')
  }
}
