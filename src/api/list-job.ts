// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { EventQuery, ListQuery } from '../store/store.ts'
import type { BlocklistFormat } from './blocklist.ts'
import type { ListName } from './list-kind.ts'

/** One long answer, as plain data: all that whoever makes it has to know. */
export type ListJob =
  /** All rows that fit; `withCursor` ends the body with the `next_cursor` that answers with parameters have. */
  | { readonly kind: 'whole'; readonly name: ListName; readonly query: ListQuery; readonly withCursor: boolean }
  | { readonly kind: 'page'; readonly name: ListName; readonly query: ListQuery; readonly limit: number }
  | {
      readonly kind: 'blocklist'
      readonly format: BlocklistFormat
      readonly query: ListQuery
      /** Never in a blocklist, as are the ranges that cannot be on the public Internet. */
      readonly ownAddresses: readonly string[]
    }
  | { readonly kind: 'events'; readonly query: EventQuery }

/** A page is read at once and waits in memory; of any other list the database is read as the client takes it. */
export function isPage({ kind }: ListJob): boolean {
  return kind === 'page' || kind === 'events'
}

/**
 * What a maker of lists is told. A list has `WINDOW_PIECES` credits at first, each piece costs one, and `more` gives one
 * back when the piece has been handed to the client's connection: what is under way does not grow with a slow reader.
 */
export type ToMaker =
  | { readonly kind: 'begin'; readonly id: number; readonly job: ListJob; readonly gzip: boolean }
  | { readonly kind: 'more'; readonly id: number }
  | { readonly kind: 'end'; readonly id: number }

/** What it tells of one list. After `none`, `failed`, `done` and a `begun` that is the whole of it nothing comes any more. */
export type FromMaker =
  /** There is nothing to list. */
  | { readonly kind: 'none'; readonly id: number }
  | {
      readonly kind: 'begun'
      readonly id: number
      /** Of the next page; null when there is none. */
      readonly cursor: string | null
      readonly isPacked: boolean
      readonly piece: Uint8Array
      /** This piece is all of it. */
      readonly isWhole: boolean
    }
  | { readonly kind: 'piece'; readonly id: number; readonly piece: Uint8Array }
  | { readonly kind: 'done'; readonly id: number }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string }

/** Pieces of one list under way between the threads, at most. */
export const WINDOW_PIECES = 3 // chosen: one that is made, one that waits, one that is being sent
