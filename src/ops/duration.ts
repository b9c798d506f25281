// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

const HOUR_MS = 3_600_000
const UNITS_MS: Readonly<Record<string, number>> = { h: HOUR_MS, d: 24 * HOUR_MS, w: 7 * 24 * HOUR_MS }

/** Milliseconds of a time as operators write it: `36h`, `90d`, `12w`. Null for anything else, and for none at all. */
export function durationMs(text: string): number | null {
  const [, count = '', unit = ''] = /^([1-9]\d{0,4})([hdw])$/.exec(text) ?? []
  const unitMs = UNITS_MS[unit]
  return unitMs === undefined ? null : Number(count) * unitMs
}
