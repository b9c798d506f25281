// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// C0, DEL and C1 controls; line and paragraph separators; bidirectional marks, embeddings, overrides and isolates;
// zero-width characters and the byte order mark. Anything here can move a terminal's cursor, break a line in a log
// reader, or make text read as something it is not.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** `text` with every control and direction-changing character written as `\n`, `\t`, `\r` or `\u{hex}`. */
export function escaped(text: string): string {
  return text.replace(UNSAFE, (character) => {
    if (character === '\n') return '\\n'
    if (character === '\r') return '\\r'
    if (character === '\t') return '\\t'
    return `\\u{${character.charCodeAt(0).toString(16)}}`
  })
}

/**
 * What a person or a line-based program may be shown of an attacker's text: `escaped`, cut to `maxCharacters` code
 * points of the original with an ellipsis, and with `Source IP:` broken up so that it cannot pass for our own words.
 */
export function shown(text: string, maxCharacters: number): string {
  const characters = text.length > maxCharacters ? [...text.slice(0, maxCharacters * 2 + 2)] : null
  const cut =
    characters !== null && characters.length > maxCharacters ? `${characters.slice(0, maxCharacters).join('')}…` : text
  return escaped(cut).replace(/source ip:/gi, (words) => `${words.slice(0, -1)}\\u{3a}`)
}
