// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { HEADER_NAMES, type HeaderName, headerNumber, ODDLY_SPELLED } from './header-name.ts'
import { lwsEndInBytes, lwsStartInBytes } from './lws.ts'
import type { HeaderBlock } from './message.ts'

/** The header lines of a message, and where they end. */
export interface ReadHeaders extends HeaderBlock {
  /** Where the empty line ends, or the block. */
  readonly bodyStart: number
  /** Offset of the first line that is no header, or -1. */
  readonly badLineAt: number
}

const NOT_THERE: readonly number[] = HEADER_NAMES.map(() => -1)

/**
 * Finds the header lines from `from`, behind the start line, to the first empty line. `text` is `bytes`, or the first of
 * them, one character a byte: lines are found in the one, since searching a string is quick, and their letters looked
 * at in the other, since taking single ones out of a string is not. Linear in `text.length`.
 */
export function readHeaders(bytes: Uint8Array, text: string, from: number): ReadHeaders {
  const spans: number[] = []
  const names: (HeaderName | null)[] = []
  const firsts = NOT_THERE.slice()
  let oddNames = 0
  let repeated = 0
  let isFolded = false
  let badLineAt = -1
  let at = from
  let bodyStart = text.length
  let afterHeader = false
  let colon = text.indexOf(':', at) // the first colon from `at` on: looked for again only once it is behind us
  while (at < text.length) {
    const lineFeed = text.indexOf('\n', at)
    const end = lineFeed === -1 ? text.length : lineEnd(bytes, lineFeed)
    const next = lineFeed === -1 ? text.length : lineFeed + 1
    if (end === at) {
      bodyStart = next
      break
    }
    const first = bytes[at]
    if (first === 0x20 || first === 0x09) {
      // Behind a line that is no header it goes on with that one, and is none either.
      if (afterHeader) {
        extendValue(bytes, spans, at, end)
        isFolded = true
      } else if (badLineAt === -1) badLineAt = at
    } else {
      if (colon !== -1 && colon < at) colon = text.indexOf(':', at)
      afterHeader = colon > at && colon < end
      if (afterHeader) {
        const valueStart = lwsEndInBytes(bytes, colon + 1, end)
        const nameEnd = lwsStartInBytes(bytes, at, colon)
        spans.push(at, nameEnd, valueStart, lwsStartInBytes(bytes, valueStart, end))
        const found = headerNumber(bytes, at, nameEnd)
        const number = found & (ODDLY_SPELLED - 1)
        if (found === -1) names.push(null)
        else {
          if (firsts[number] === -1) {
            firsts[number] = names.length
            if (found !== number) oddNames |= 1 << number
          } else repeated |= 1 << number
          names.push(HEADER_NAMES[number] ?? null)
        }
      } else if (badLineAt === -1) badLineAt = at
    }
    at = next
  }
  return {
    text,
    head: text.slice(0, bodyStart),
    spans,
    names,
    firsts,
    oddNames,
    repeated,
    isFolded,
    bodyStart,
    badLineAt,
  }
}

/** The end of the line that this line feed ends, before its CR if it has one. */
export function lineEnd(bytes: Uint8Array, lineFeed: number): number {
  return lineFeed > 0 && bytes[lineFeed - 1] === 0x0d ? lineFeed - 1 : lineFeed
}

/**
 * RFC 3261 §7.3.1: a line that begins with white space makes the value before it longer. A line of nothing else adds
 * nothing: a value never ends in a line break, which a reply would copy.
 */
function extendValue(bytes: Uint8Array, spans: number[], start: number, end: number): void {
  const textStart = lwsEndInBytes(bytes, start, end)
  if (textStart === end) return
  const last = spans.length - 1
  if (spans[last] === spans[last - 1]) spans[last - 1] = textStart
  spans[last] = lwsStartInBytes(bytes, textStart, end)
}
