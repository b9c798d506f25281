// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { hash } from 'node:crypto'

/**
 * Choices that a seed makes once and for all: the same seed and purpose give the same choice on every start, and one
 * choice tells nothing about another.
 */
export interface SeededChoices {
  /** A whole number from `min` to `max`, both included. */
  integer(purpose: string, min: number, max: number): number
  pick<T>(purpose: string, list: readonly [T, ...T[]]): T
  /** `count` different ones of the list, in no order. */
  some<T extends string | number>(purpose: string, list: readonly T[], count: number): T[]
}

export function createSeededChoices(seed: string): SeededChoices {
  const numberFor = (purpose: string) => Number.parseInt(hash('sha256', `${seed}\n${purpose}`, 'hex').slice(0, 12), 16)
  const integer = (purpose: string, min: number, max: number) => min + (numberFor(purpose) % (max - min + 1))
  return {
    integer,
    pick: (purpose, list) => list[integer(purpose, 0, list.length - 1)] ?? list[0],
    some: (purpose, list, count) =>
      list
        .map((item) => ({ item, rank: numberFor(`${purpose}\n${item}`) }))
        .sort((a, b) => a.rank - b.rank)
        .slice(0, count)
        .map(({ item }) => item),
  }
}
