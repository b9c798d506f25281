// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type IpAddress, isIpv4, parseIp } from './ip.ts'

/*
 * struct sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)) as Linux has them on little-endian machines: the family in the
 * machine's byte order, everything else as it is on the wire.
 */

const LAYOUTS = {
  ipv4: { family: 2, length: 16, addressAt: 4, addressLength: 4 },
  ipv6: { family: 10, length: 28, addressAt: 8, addressLength: 16 }, // flow information before it, scope after it
} as const
const PORT_AT = 2
const SCOPE_AT = 24

/** How one family has its addresses in memory; lengths and places in bytes. */
export type AddressLayout = (typeof LAYOUTS)[keyof typeof LAYOUTS]

/** An address as text and as the kernel has it. */
export interface SocketAddress {
  readonly ip: IpAddress
  /** A whole socket address with port 0. An IPv6 address of one link has its scope in it. */
  readonly raw: Uint8Array
  /** Its place in the book, below what the book keeps at most. */
  readonly place: number
}

export function layoutOf(ip: IpAddress): AddressLayout {
  return isIpv4(ip) ? LAYOUTS.ipv4 : LAYOUTS.ipv6
}

/** A whole socket address, without a scope. */
export function socketAddressBytes(ip: IpAddress, port: number): Uint8Array {
  const layout = layoutOf(ip)
  const bytes = new Uint8Array(layout.length)
  bytes[0] = layout.family
  writePort(bytes, 0, port)
  bytes.set(addressBytes(ip), layout.addressAt)
  return bytes
}

export function readPort(bytes: Uint8Array, at: number): number {
  return ((bytes[at + PORT_AT] ?? 0) << 8) | (bytes[at + PORT_AT + 1] ?? 0)
}

export function writePort(bytes: Uint8Array, at: number, port: number): void {
  bytes[at + PORT_AT] = port >> 8
  bytes[at + PORT_AT + 1] = port
}

/** The four or sixteen bytes of an address. */
export function addressBytes(ip: IpAddress): number[] {
  if (isIpv4(ip)) return ip.split('.').map(Number)
  const [before = '', after] = ip.split('::')
  const [head, tail] = [groupBytes(before), groupBytes(after ?? '')]
  return [...head, ...new Array<number>(16 - head.length - tail.length).fill(0), ...tail]
}

/** `2001:db8` or, as the last of an address with many zeros is written, `192.0.2.1`. */
function groupBytes(groups: string): number[] {
  if (groups === '') return []
  return groups.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number)
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}

/** Finds the same object again for the same bytes, so that most addresses need no text made. */
export interface AddressBook {
  /** Of the address that begins at `at`, with the scope of the socket address that it is in. */
  find(bytes: Buffer, at: number, scope?: number): SocketAddress
}

/** Keeps at most `max` addresses, and begins anew when there are more. */
export function createAddressBook(layout: AddressLayout, max: number): AddressBook {
  const known = new Map<number | string, SocketAddress>()

  function learn(key: number | string, bytes: Buffer, at: number, scope: number): SocketAddress {
    const raw = new Uint8Array(layout.length)
    raw[0] = layout.family
    raw.set(bytes.subarray(at, at + layout.addressLength), layout.addressAt)
    if (scope !== 0) new DataView(raw.buffer).setUint32(SCOPE_AT, scope, true)
    if (known.size >= max) known.clear()
    const address = { ip: addressText(bytes.subarray(at, at + layout.addressLength)), raw, place: known.size }
    known.set(key, address)
    return address
  }

  return {
    find(bytes, at, scope = 0) {
      const key =
        layout === LAYOUTS.ipv4
          ? bytes.readUInt32LE(at)
          : bytes.toString('latin1', at, at + layout.addressLength) + (scope === 0 ? '' : `%${scope}`)
      return known.get(key) ?? learn(key, bytes, at, scope)
    },
  }
}

/** The scope of the socket address that begins at `at`; 0 for IPv4 and for addresses that are the same on every link. */
export function readScope(layout: AddressLayout, bytes: Uint8Array, at: number): number {
  if (layout !== LAYOUTS.ipv6) return 0
  let scope = 0
  for (let place = at + SCOPE_AT + 3; place >= at + SCOPE_AT; place--) scope = (scope << 8) | (bytes[place] ?? 0)
  return scope >>> 0
}

function addressText(bytes: Buffer): IpAddress {
  if (bytes.length === 4) return bytes.join('.') as IpAddress // four numbers are the canonical form
  const groups = bytes.toString('hex').match(/.{4}/g) ?? []
  const address = parseIp(groups.join(':'))
  if (address === null) throw new Error('sixteen bytes are an IPv6 address')
  return address
}
