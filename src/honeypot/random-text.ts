// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

const STOCK = 4_096 // bytes: a call for these takes little more than one for 64

/**
 * Random bytes as text, one character a byte, none of them given twice. A call of `randomBytes` takes two microseconds,
 * so it is asked for many bytes at a time.
 */
export function createRandomText(randomBytes: (size: number) => Buffer): (length: number) => string {
  let stock = ''
  let used = 0
  return (length) => {
    if (used + length > stock.length) {
      stock = randomBytes(Math.max(STOCK, length)).toString('latin1')
      used = 0
    }
    used += length
    return stock.slice(used - length, used)
  }
}
