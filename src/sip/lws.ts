// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/*
 * Linear white space of SIP inside one line: space and tab (RFC 3261 §25.1). String.trim() is not for bytes kept one a
 * character: it takes 0xA0 for a no-break space, which is the second half of "à" in UTF-8.
 */

/** Index of the first character from `start` on that is not white space; `end` when there is none before it. */
export function lwsEnd(text: string, start: number, end: number): number {
  let at = start
  while (at < end && isLws(text.charCodeAt(at))) at++
  return at
}

/** Index behind the last character before `end` that is not white space; `start` when there is none from it on. */
export function lwsStart(text: string, start: number, end: number): number {
  let at = end
  while (at > start && isLws(text.charCodeAt(at - 1))) at--
  return at
}

/** The same as `lwsEnd` for bytes. */
export function lwsEndInBytes(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && isLws(bytes[at] ?? 0)) at++
  return at
}

/** The same as `lwsStart` for bytes. */
export function lwsStartInBytes(bytes: Uint8Array, start: number, end: number): number {
  let at = end
  while (at > start && isLws(bytes[at - 1] ?? 0)) at--
  return at
}

/** Without the white space around it. */
export function trimLws(text: string): string {
  return trimmed(text, 0, text.length)
}

/** The part of a text from `start` to `end`, without the white space around it. */
export function trimmed(text: string, start: number, end: number): string {
  const from = lwsEnd(text, start, end)
  return text.slice(from, lwsStart(text, from, end))
}

function isLws(code: number): boolean {
  return code === 0x20 || code === 0x09
}
