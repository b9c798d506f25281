// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type IpAddress, isIpv4, parseIp } from '../net/ip.ts'
import type { BadActor } from '../store/store.ts'

export const BLOCKLIST_FORMATS = ['plain', 'restore', 'nft', 'mikrotik', 'json'] as const

export type BlocklistFormat = (typeof BLOCKLIST_FORMATS)[number]

// One nft command per this many addresses: a command for each is slow to load, one for all is slow to read.
const ADDRESSES_PER_NFT_COMMAND = 256
const MAX_IPSET_ELEMENTS = 1_048_576 // ipset's own default of 65,536 would refuse the rest of a longer list

/** What never gets into a blocklist, whoever sent packets in its name. */
export interface NeverBlocked {
  isBogon(address: IpAddress): boolean
  readonly ownAddresses: ReadonlySet<string>
}

/** The addresses of bad actors that may be blocked, written afresh from parsed text. */
export function* blockable(actors: Iterable<BadActor>, never: NeverBlocked): Generator<IpAddress, void> {
  for (const { ipAddress } of actors) {
    const address = parseIp(ipAddress)
    if (address !== null && !never.isBogon(address) && !never.ownAddresses.has(address)) yield address
  }
}

/** A blocklist as text that the named program loads. Loading it again replaces what was loaded before. */
export function blocklistText(format: BlocklistFormat, addresses: Iterable<IpAddress>): Generator<string, void> {
  switch (format) {
    case 'plain':
      return plain(addresses)
    case 'restore':
      return ipsetRestore(addresses)
    case 'nft':
      return nftScript(addresses)
    case 'mikrotik':
      return routerOsScript(addresses)
    case 'json':
      return json(addresses)
    default:
      return format satisfies never
  }
}

function* plain(addresses: Iterable<IpAddress>) {
  for (const address of addresses) yield `${address}\n`
}

// For `ipset restore`. The new list is put together in sets of their own and swapped in by the last lines, so a
// transfer that is cut short leaves the sets that rules refer to as they were.
function* ipsetRestore(addresses: Iterable<IpAddress>) {
  for (const [set, family] of [
    ['sentrypeer4', 'inet'],
    ['sentrypeer6', 'inet6'],
  ]) {
    const header = `hash:ip family ${family} maxelem ${MAX_IPSET_ELEMENTS}`
    yield `create ${set} ${header} -exist\ncreate ${set}-next ${header} -exist\nflush ${set}-next\n`
  }
  for (const address of addresses) yield `add sentrypeer${isIpv4(address) ? 4 : 6}-next ${address} -exist\n`
  for (const set of ['sentrypeer4', 'sentrypeer6']) yield `swap ${set}-next ${set}\ndestroy ${set}-next\n`
}

// For `nft -f`, which applies a file wholly or not at all.
function* nftScript(addresses: Iterable<IpAddress>) {
  const table = 'inet sentrypeer_blocklist'
  yield `add table ${table}\n`
  yield `add set ${table} bad_actors4 { type ipv4_addr; }\nadd set ${table} bad_actors6 { type ipv6_addr; }\n`
  yield `flush set ${table} bad_actors4\nflush set ${table} bad_actors6\n`
  const addCommand = (family: 4 | 6, elements: readonly IpAddress[]) =>
    `add element ${table} bad_actors${family} { ${elements.join(', ')} }\n`
  const waiting = { 4: [] as IpAddress[], 6: [] as IpAddress[] }
  for (const address of addresses) {
    const family = isIpv4(address) ? 4 : 6
    if (waiting[family].push(address) < ADDRESSES_PER_NFT_COMMAND) continue
    yield addCommand(family, waiting[family])
    waiting[family] = []
  }
  if (waiting[4].length > 0) yield addCommand(4, waiting[4])
  if (waiting[6].length > 0) yield addCommand(6, waiting[6])
}

// For RouterOS `/import`.
function* routerOsScript(addresses: Iterable<IpAddress>) {
  yield '/ip firewall address-list remove [find list=sentrypeer]\n'
  yield '/ipv6 firewall address-list remove [find list=sentrypeer]\n'
  for (const address of addresses) {
    yield isIpv4(address)
      ? `/ip firewall address-list add list=sentrypeer address=${address}\n`
      : `/ipv6 firewall address-list add list=sentrypeer address=${address}/128\n`
  }
}

function* json(addresses: Iterable<IpAddress>) {
  yield '{"ip_addresses":['
  let separator = ''
  for (const address of addresses) {
    yield `${separator}"${address}"`
    separator = ','
  }
  yield ']}'
}
