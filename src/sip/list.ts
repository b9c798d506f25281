// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { HeaderName } from './header-name.ts'
import { trimLws } from './lws.ts'
import { type HeaderBlock, headerValues } from './message.ts'
import { quotedEnd } from './uri.ts'

/** The elements of all headers of that name, in order. */
export function headerElements(block: HeaderBlock, name: HeaderName): string[] {
  return headerValues(block, name).flatMap(listElements)
}

/**
 * The elements of a comma-separated header value (RFC 3261 §7.3.1), trimmed; commas in quoted strings and angle
 * brackets do not separate. A quote or bracket that never ends takes the rest.
 */
export function listElements(value: string): string[] {
  const elements: string[] = []
  let from = 0
  for (let at = 0; at < value.length; at++) {
    const character = value[at]
    if (character === '"' || character === '<') {
      const end = character === '"' ? quotedEnd(value, at) : value.indexOf('>', at) + 1
      at = end <= 0 ? value.length : end - 1
    } else if (character === ',') {
      elements.push(trimLws(value.slice(from, at)))
      from = at + 1
    }
  }
  elements.push(trimLws(value.slice(from)))
  return elements.filter((element) => element !== '')
}
