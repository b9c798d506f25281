// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

const MIN_PREFIX_CHARACTERS = 3 // chosen: shorter beginnings fit too many names to be a hint

/**
 * The known name that somebody who wrote `typed` probably meant: the one it is the beginning of, else the one with
 * the fewest letters wrong, up to a third of them. Null when none is near enough to be worth saying.
 */
export function nearest(typed: string, known: readonly string[]): string | null {
  if (typed.length >= MIN_PREFIX_CHARACTERS) {
    const longer = known.filter((name) => name.startsWith(typed)).sort((one, other) => one.length - other.length)[0]
    if (longer !== undefined) return longer
  }
  let best: string | null = null
  let fewest = Math.floor(typed.length / 3)
  for (const name of known) {
    const wrong = editDistance(typed, name)
    if (wrong > fewest || (wrong === fewest && best !== null)) continue
    best = name
    fewest = wrong
  }
  return best
}

/** How many letters must be put in, left out or exchanged to get from one text to the other (Levenshtein). */
export function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, column) => column)
  for (let line = 1; line <= one.length; line++) {
    const next = [line]
    for (let column = 1; column <= other.length; column++) {
      const exchanged = at(row, column - 1) + (one[line - 1] === other[column - 1] ? 0 : 1)
      next.push(Math.min(exchanged, at(row, column) + 1, at(next, column - 1) + 1))
    }
    row = next
  }
  return at(row, other.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY
}
