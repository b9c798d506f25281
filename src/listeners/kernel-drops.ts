// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { readFile } from 'node:fs/promises'
import { endianness } from 'node:os'
import { type IpAddress, isIpv4 } from '../net/ip.ts'
import { addressBytes } from '../net/socket-address.ts'

/**
 * Datagrams that the kernel dropped because this socket's buffer was full, from /proc/net/udp and udp6, whose last
 * column it is (proc(5)). Null where that cannot be read: another system, not permitted, no file left to open.
 */
export async function readKernelDrops(address: IpAddress, port: number): Promise<number | null> {
  const table = await readFile(isIpv4(address) ? '/proc/net/udp' : '/proc/net/udp6', 'latin1').catch(() => null)
  if (table === null) return null
  const local = `${procAddress(address)}:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const row = table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find((columns) => columns[1] === local)
  return Number(row?.at(-1) ?? 0)
}

/** Each 32-bit group in hexadecimal as the machine's own byte order has it. */
function procAddress(address: IpAddress): string {
  const bytes = addressBytes(address)
  const words: string[] = []
  for (let at = 0; at < bytes.length; at += 4) {
    const word = bytes.slice(at, at + 4)
    if (endianness() === 'LE') word.reverse()
    words.push(word.map((byte) => byte.toString(16).padStart(2, '0')).join(''))
  }
  return words.join('').toUpperCase()
}
