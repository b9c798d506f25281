// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** Choices that a seed makes: the same seed makes the same ones, in the same order, on every machine. */
export interface Random {
  /** A whole number from 0 to `count` - 1. */
  below(count: number): number
  /** True once in `times`, on average. */
  oneIn(times: number): boolean
  pick<T>(list: readonly [T, ...T[]]): T
  /** `length` digits of hexadecimal. */
  hex(length: number): string
}

/** Not for secrets. The numbers are those of sfc32, of Chris Doty-Humphrey's PractRand; `stream` tells runs of one seed apart. */
export function createRandom(seed: number, stream = 0): Random {
  let [a, b, c, counter] = [seed | 0, stream | 0, 0x9e3779b9 | 0, 1]

  function next(): number {
    const sum = (a + b + counter++) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  const below = (count: number) => Math.floor((next() / 2 ** 32) * count)
  for (let round = 0; round < 15; round++) next() // until every bit of the seed has reached every bit of the state
  return {
    below,
    oneIn: (times) => below(times) === 0,
    pick: (list) => list[below(list.length)] ?? list[0],
    hex(length) {
      let text = ''
      while (text.length < length) text += next().toString(16).padStart(8, '0')
      return text.slice(0, length)
    },
  }
}
