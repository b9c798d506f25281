// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { parse } from 'smol-toml'

/**
 * Where the keys of a TOML document are: `pathKey(['api', 'listen'])` gives the line, counted from 1, on which that
 * key or the header of that table stands. `text` is a document that the TOML parser has taken already: the parser
 * tells lines of syntax errors only, so this walks over the text once more and looks at nothing but keys.
 */
export function tomlLines(text: string): ReadonlyMap<string, number> {
  const cursor = { text, at: 0, line: 1, lines: new Map<string, number>() }
  let table: readonly string[] = []
  for (skipVoid(cursor); cursor.at < text.length; skipVoid(cursor)) {
    if (here(cursor) === '[') {
      step(cursor, text.startsWith('[[', cursor.at) ? 2 : 1)
      table = readKey(cursor, [])
      while (here(cursor) === ']') step(cursor, 1)
    } else {
      readPair(cursor, table)
    }
  }
  return cursor.lines
}

/** A path of keys as one text, whatever dots the keys have in them. */
export function pathKey(path: readonly string[]): string {
  return JSON.stringify(path)
}

interface Cursor {
  readonly text: string
  at: number
  line: number
  readonly lines: Map<string, number>
}

function here({ text, at }: Cursor): string {
  return text[at] ?? ''
}

function step(cursor: Cursor, characters: number): void {
  for (let left = characters; left > 0; left--) {
    if (here(cursor) === '\n') cursor.line++
    cursor.at++
  }
}

/** `key = value`, in a table or between the braces of an inline one. */
function readPair(cursor: Cursor, table: readonly string[]): void {
  const path = readKey(cursor, table)
  step(cursor, 1) // the equals sign
  skipVoid(cursor)
  skipValue(cursor, path)
}

/** Reads `a . "b"` up to the `=` or `]` after it, and notes the line of each part that is new. */
function readKey(cursor: Cursor, table: readonly string[]): string[] {
  const path = [...table]
  while (cursor.at < cursor.text.length && here(cursor) !== '=' && here(cursor) !== ']') {
    const start = cursor.at
    if (here(cursor) === '"' || here(cursor) === "'") {
      skipString(cursor)
      path.push(unquoted(cursor.text.slice(start, cursor.at)))
    } else if (/[ \t.]/.test(here(cursor))) {
      step(cursor, 1)
      continue
    } else {
      while (cursor.at < cursor.text.length && !/[ \t.=\]]/.test(here(cursor))) step(cursor, 1)
      path.push(cursor.text.slice(start, cursor.at))
    }
    const key = pathKey(path)
    if (!cursor.lines.has(key)) cursor.lines.set(key, cursor.line)
  }
  return path
}

function skipValue(cursor: Cursor, path: readonly string[]): void {
  const first = here(cursor)
  if (first === '"' || first === "'") skipString(cursor)
  else if (first === '[') skipItems(cursor, ']', () => skipValue(cursor, path))
  else if (first === '{') skipItems(cursor, '}', () => readPair(cursor, path))
  else skipWord(cursor)
}

/** A number, a date or a boolean: a character at least, so that the walk over any text comes to its end. */
function skipWord(cursor: Cursor): void {
  do step(cursor, 1)
  while (cursor.at < cursor.text.length && !/[\n,\]}#]/.test(here(cursor)))
}

function skipItems(cursor: Cursor, end: ']' | '}', skipItem: () => void): void {
  step(cursor, 1)
  for (skipVoid(cursor); cursor.at < cursor.text.length && here(cursor) !== end; skipVoid(cursor)) {
    if (here(cursor) === ',') step(cursor, 1)
    else skipItem()
  }
  step(cursor, 1)
}

function skipString(cursor: Cursor): void {
  const quote = here(cursor)
  const fence = cursor.text.startsWith(quote.repeat(3), cursor.at) ? quote.repeat(3) : quote
  step(cursor, fence.length)
  while (cursor.at < cursor.text.length && !cursor.text.startsWith(fence, cursor.at)) {
    step(cursor, quote === '"' && here(cursor) === '\\' ? 2 : 1)
  }
  step(cursor, fence.length)
  // One or two quotes may stand right before the closing three: the three that close are the last ones.
  while (fence.length === 3 && here(cursor) === quote) step(cursor, 1)
}

/** Blanks, line ends and comments. */
function skipVoid(cursor: Cursor): void {
  while (cursor.at < cursor.text.length) {
    if (here(cursor) === '#') {
      while (cursor.at < cursor.text.length && here(cursor) !== '\n') step(cursor, 1)
    } else if (/\s/.test(here(cursor))) {
      step(cursor, 1)
    } else {
      return
    }
  }
}

function unquoted(key: string): string {
  return String(parse(`key = ${key}`)['key'])
}
