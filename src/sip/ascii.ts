// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/*
 * Short ASCII text that is put together in a buffer: `room` has space for it, `at` is where to write, and what comes
 * back is the place behind what was written.
 */

/** Writes one character. */
export function put(room: Uint8Array, at: number, character: string): number {
  room[at] = character.charCodeAt(0)
  return at + 1
}

/** Writes a text. */
export function write(room: Uint8Array, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) room[at + index] = text.charCodeAt(index)
  return at + text.length
}
