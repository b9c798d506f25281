// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createSeededChoices, type SeededChoices } from './seeded.ts'

/** Who can be called or log in at this node. */
export interface Extensions {
  exists(user: string): boolean
  /** Whether it looks like an extension, there or not: 1 to 6 digits. */
  isInternal(user: string): boolean
}

/** An operator's list that was read, or what is wrong with it. */
export type ListedExtensions = { readonly kind: 'extensions'; readonly extensions: Extensions } | Fault

interface Fault {
  readonly kind: 'fault'
  readonly detail: string
}

type ListedItem = { readonly kind: 'users'; readonly users: readonly string[] } | Fault

const USUAL_NAMES = [
  ...['admin', 'administrator', 'reception', 'frontdesk', 'operator', 'office', 'fax', 'conference', 'voicemail'],
  ...['sales', 'support', 'service', 'billing', 'accounting', 'manager', 'lobby', 'warehouse', 'phone', 'guest'],
  ...['test', 'doorphone', 'intercom'],
] as const

const MAX_LISTED = 10_000 // chosen: beyond any PBX that one machine has, and still made in a moment

/**
 * A plausible office, the same for every start with the same seed: a dense block from 100, a thin one from 200, some
 * four-digit extensions and a few names. 100 is always there; of 100 to 120 between 6 and 15 are. A scanner that tries
 * the usual ranges finds some, and a number that nobody has answers like one.
 */
export function createExtensions(seed: string): Extensions {
  const choices = createSeededChoices(`${seed} extensions`)
  return within(new Set([...firstFloor(choices), ...secondFloor(choices), ...branch(choices), ...names(choices)]))
}

/**
 * The operator's own: numbers, ranges of numbers and names with commas between them, as in `100-110,200,reception`. A
 * range keeps leading zeros, as in `001-020`.
 */
export function listedExtensions(list: string): ListedExtensions {
  const users = new Set<string>()
  for (const item of list.split(',')) {
    const read = readItem(item.trim())
    if (read.kind === 'fault') return read
    for (const user of read.users) users.add(user)
    if (users.size > MAX_LISTED) return fault(`more than ${MAX_LISTED} extensions`)
  }
  return { kind: 'extensions', extensions: within(users) }
}

function within(users: ReadonlySet<string>): Extensions {
  return { exists: (user) => users.has(user), isInternal: (user) => /^\d{1,6}$/.test(user) }
}

/** 100 up to 120, a quarter to three quarters of them, and on as densely up to 159 at most. */
function firstFloor({ integer, some }: SeededChoices): string[] {
  const count = integer('first floor', 6, 15)
  const beyond = numbers(121, integer('first floor end', 120, 159))
  const others = some('first floor users', numbers(101, 120), count - 1)
  return ['100', ...others, ...some('first floor users', beyond, Math.round((beyond.length * count) / 21))]
}

/** From 200, every third to sixth. */
function secondFloor({ integer, some }: SeededChoices): string[] {
  const all = numbers(200, integer('second floor end', 210, 259))
  return some('second floor users', all, Math.ceil(all.length / integer('second floor', 3, 6)))
}

/** Four digits: 10 to 40 of them, with holes. */
function branch({ integer, pick, some }: SeededChoices): string[] {
  const first = pick('branch', [1000, 2000, 6000, 7000])
  const count = integer('branch size', 10, 40)
  const holes = integer('branch holes', 3, count)
  return some('branch users', numbers(first, first + count + holes - 1), count)
}

function names({ integer, some }: SeededChoices): string[] {
  return some('names', USUAL_NAMES, integer('name count', 2, 4))
}

function numbers(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, index) => String(first + index))
}

function readItem(item: string): ListedItem {
  const [, first, last] = /^(\d{1,64})-(\d{1,64})$/.exec(item) ?? []
  if (first !== undefined && last !== undefined) return readRange(item, first, last)
  return /^[A-Za-z0-9_+*](?:[A-Za-z0-9_.+*-]{0,62}[A-Za-z0-9_*])?$/.test(item)
    ? { kind: 'users', users: [item] }
    : fault(`${JSON.stringify(item)} is no extension`)
}

function readRange(item: string, first: string, last: string): ListedItem {
  if (first.length !== last.length) return fault(`${item}: both ends of a range need the same number of digits`)
  if (first.length > 15) return fault(`${item} has more digits than a telephone number`) // E.164 §6: 15
  if (Number(first) > Number(last)) return fault(`${item} ends before it begins`)
  if (Number(last) - Number(first) >= MAX_LISTED) return fault(`${item} has more than ${MAX_LISTED} extensions`)
  const users = numbers(Number(first), Number(last)).map((number) => number.padStart(first.length, '0'))
  return { kind: 'users', users }
}

function fault(detail: string): Fault {
  return { kind: 'fault', detail }
}
