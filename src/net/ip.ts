// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { BlockList, isIP, isIPv4, SocketAddress } from 'node:net'

/** An IPv4 or IPv6 address in its one canonical spelling (RFC 5952), without zone, IPv4-mapped written as IPv4. */
export type IpAddress = string & { readonly __brand: 'IpAddress' }

/**
 * The canonical spelling of an address in any spelling, or null when `text` is not an address. `2001:DB8::0:1` gives
 * `2001:db8::1`, `::ffff:192.0.2.1` gives `192.0.2.1`, a zone (`fe80::1%eth0`) is left out.
 */
export function parseIp(text: string): IpAddress | null {
  const zone = text.indexOf('%')
  const bare = zone === -1 ? text : text.slice(0, zone)
  switch (isIP(bare)) {
    case 4:
      return bare as IpAddress // node:net accepts only the canonical dotted form
    case 6: {
      const canonical = new SocketAddress({ address: bare, family: 'ipv6' }).address
      const mapped = canonical.startsWith('::ffff:') ? canonical.slice(7) : ''
      return (isIPv4(mapped) ? mapped : canonical) as IpAddress
    }
    default:
      return null
  }
}

export function isIpv4(address: IpAddress): boolean {
  return !address.includes(':')
}

/** Multicast, broadcast and "this network": nobody's own address, so only a forger sends from there. */
export function isNoHost(address: IpAddress): boolean {
  return /^(?:0|22[4-9]|23\d|24\d|25[0-5])\.|^ff[0-9a-f]{2}:|^::$/.test(address)
}

/** The address for IPv4; the /64 for IPv6, since one customer usually has that many addresses. */
export function networkOf(address: IpAddress): string {
  if (isIpv4(address)) return address
  const [before = '', after] = address.split('::')
  const groups = before === '' ? [] : before.split(':')
  if (after !== undefined) {
    const tail = after === '' ? 0 : after.split(':').length
    for (let missing = 8 - groups.length - tail; missing > 0 && groups.length < 4; missing--) groups.push('0')
    if (groups.length < 4) groups.push(...after.split(':').slice(0, 4 - groups.length))
  }
  return groups.slice(0, 4).join(':')
}

/** `192.0.2.1:5060` or `[2001:db8::1]:5060`. */
export function endpointText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** Reads `192.0.2.1:5060`, `[::1]:5060` or `host:5060`; null when it is none of these or the port is above 65535. */
export function parseEndpoint(text: string): { host: string; port: number } | null {
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([\w.-]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port > 65535) return null
  if (match?.[1] !== undefined && isIP(host.replace(/%.*/, '')) !== 6) return null
  return { host, port }
}

// Special-purpose registries of RFC 6890 and RFC 5771, as far as nothing on the public Internet can be there.
const BOGONS_V4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const
const BOGONS_V6 = [
  // IPv4-mapped addresses are IPv4 here: parseIp sees to it
  ['::', 128],
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
  ['2001:db8::', 32],
] as const

/**
 * A predicate: can this address not be a host on the public Internet? `publicRanges` (`192.0.2.0/24`) are taken as
 * public all the same, for a laboratory. Throws a RangeError for a range that is not one.
 */
export function createBogonCheck(publicRanges: readonly string[] = []): (address: IpAddress) => boolean {
  const ranges = [...BOGONS_V4, ...BOGONS_V6].map(([network, bits]) => `${network}/${bits}`)
  const isBogon = createRangeCheck(ranges)
  const isPublic = createRangeCheck(publicRanges)
  return (address) => isBogon(address) && !isPublic(address)
}

/** A predicate: is this address in one of the ranges (`192.0.2.0/24`)? Throws a RangeError for one that is no range. */
export function createRangeCheck(ranges: readonly string[]): (address: IpAddress) => boolean {
  const list = new BlockList()
  for (const range of ranges) {
    const [network = '', bits = ''] = range.split('/')
    const family = isIP(network)
    if (family === 0 || !/^\d{1,3}$/.test(bits)) throw new RangeError(`not a range: ${range}`)
    list.addSubnet(network, Number(bits), family === 4 ? 'ipv4' : 'ipv6')
  }
  if (ranges.length === 0) return () => false
  return (address) => list.check(address, isIpv4(address) ? 'ipv4' : 'ipv6')
}
