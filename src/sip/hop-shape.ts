// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { put } from './ascii.ts'
import { startsWith } from './uri.ts'

/** The longest shape of a hop: whether it names a port, and its first four parameters. Chosen: above what tools send. */
export const MAX_HOP_SHAPE = 5

/** The topmost hop: where its branch is, or -1; `hop` takes whether it names a port, then its first parameters in order. */
export function readHopShape(text: string, bytes: Uint8Array, start: number, end: number, hop: Uint8Array) {
  let at = parameterEnd(bytes, start, end)
  put(hop, 0, hasPort(bytes, start, at) ? 'p' : 'n')
  let hopLength = 1
  let branchStart = -1
  let branchEnd = -1
  while (at < end && bytes[at] === 0x3b && hopLength < hop.length) {
    let name = at + 1
    while (name < end && bytes[name] === 0x20) name++
    at = parameterEnd(bytes, name, end)
    const letter = parameterLetter(text, bytes, name, at)
    hopLength = put(hop, hopLength, letter)
    if (letter === 'b' && branchStart === -1) {
      branchStart = name + BRANCH.length
      branchEnd = at
    }
  }
  return { hopLength, branchStart, branchEnd }
}

/** Index of the next semicolon, of the comma at which the hop ends, or `end`. */
function parameterEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && bytes[at] !== 0x3b && bytes[at] !== 0x2c) at++
  return at
}

/** Whether a colon stands behind the last bracket of a sent-by. */
function hasPort(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = end - 1; at >= start; at--) {
    if (bytes[at] === 0x3a) return true
    if (bytes[at] === 0x5d) return false
  }
  return false
}

const BRANCH = 'branch='
const RPORT = 'rport'

function parameterLetter(text: string, bytes: Uint8Array, start: number, end: number): string {
  switch (bytes[start]) {
    case 0x61:
      return startsWith(text, 'alias', start, end) ? 'a' : 'o'
    case 0x62:
      return startsWith(text, BRANCH, start, end) ? 'b' : 'o'
    case 0x72:
      if (!startsWith(text, RPORT, start, end)) return 'o'
      return start + RPORT.length < end && bytes[start + RPORT.length] === 0x3d ? 'R' : 'r'
    default:
      return 'o'
  }
}
