// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Position } from '../store/store.ts'
import type { ListName } from './list-kind.ts'

/** What a `cursor` parameter looks like from outside. */
export const CURSOR_PATTERN = '^[A-Za-z0-9_-]+$'
export const MAX_CURSOR_LENGTH = 1_024 // chosen: a time and the longest number that fits a request, many times over

/** Packs where a list goes on into text that a client hands back as it is. */
export function encodeCursor(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url')
}

/** The parts of a cursor, or null when it is not one with exactly `count` parts. */
export function decodeCursor(cursor: string, count: number): readonly string[] | null {
  let parts: unknown
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    return null
  }
  if (!Array.isArray(parts) || parts.length !== count) return null
  return parts.every((part) => typeof part === 'string') ? parts : null
}

/** The cursor of the page behind a row of this list. */
export function writePosition(name: ListName, { seenLast, key }: Position): string {
  return encodeCursor([name, seenLast, key])
}

/** Where the cursor of a page of this list goes on, or null when it is none. */
export function readPosition(name: ListName, cursor: string): Position | null {
  const [of, seenLast, key] = decodeCursor(cursor, 3) ?? []
  return of === name && seenLast !== undefined && key !== undefined ? { seenLast, key } : null
}
