// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type HeaderName, headerName } from './header-name.ts'
import { lwsEnd, lwsStart } from './lws.ts'
import type { HeaderBlock } from './message.ts'

/** The header lines of a message, and where they end. */
export interface ReadHeaders extends HeaderBlock {
  /** Where the empty line ends, or the block. */
  readonly bodyStart: number
  /** Offset of the first line that is no header, or -1. */
  readonly badLineAt: number
}

/** Finds the header lines from `from`, behind the start line, to the first empty line. Linear in `head.length`. */
export function readHeaders(head: string, from: number): ReadHeaders {
  const spans: number[] = []
  const names: (HeaderName | null)[] = []
  let badLineAt = -1
  let at = from
  let afterHeader = false
  let colon = head.indexOf(':', at) // the first colon from `at` on: looked for again only once it is behind us
  while (at < head.length) {
    const lineFeed = head.indexOf('\n', at)
    const end = lineFeed === -1 ? head.length : lineEnd(head, lineFeed)
    const next = lineFeed === -1 ? head.length : lineFeed + 1
    if (end === at) return { head: head.slice(0, next), spans, names, bodyStart: next, badLineAt }
    const first = head.charCodeAt(at)
    if (first === 0x20 || first === 0x09) {
      // Behind a line that is no header it goes on with that one, and is none either.
      if (afterHeader) extendValue(head, spans, at, end)
      else if (badLineAt === -1) badLineAt = at
    } else {
      if (colon !== -1 && colon < at) colon = head.indexOf(':', at)
      afterHeader = colon > at && colon < end
      if (afterHeader) {
        const valueStart = lwsEnd(head, colon + 1, end)
        const nameEnd = lwsStart(head, at, colon)
        spans.push(at, nameEnd, valueStart, lwsStart(head, valueStart, end))
        names.push(headerName(head, at, nameEnd))
      } else if (badLineAt === -1) badLineAt = at
    }
    at = next
  }
  return { head, spans, names, bodyStart: head.length, badLineAt }
}

/** The end of the line that this line feed ends, before its CR if it has one. */
export function lineEnd(head: string, lineFeed: number): number {
  return lineFeed > 0 && head.charCodeAt(lineFeed - 1) === 0x0d ? lineFeed - 1 : lineFeed
}

/**
 * RFC 3261 §7.3.1: a line that begins with white space makes the value before it longer. A line of nothing else adds
 * nothing: a value never ends in a line break, which a reply would copy.
 */
function extendValue(head: string, spans: number[], start: number, end: number): void {
  const textStart = lwsEnd(head, start, end)
  if (textStart === end) return
  const last = spans.length - 1
  if (spans[last] === spans[last - 1]) spans[last - 1] = textStart
  spans[last] = lwsStart(head, textStart, end)
}
