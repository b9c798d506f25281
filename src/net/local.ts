// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { BlockList } from 'node:net'
import { networkInterfaces } from 'node:os'
import { type IpAddress, isIpv4, parseIp } from './ip.ts'

const REFRESH_MS = 10_000

/** What this machine's own addresses are, looked up again every ten seconds. */
export interface LocalAddresses {
  all(): ReadonlySet<IpAddress>
  /**
   * The address that a packet from `source` was most likely sent to, where a wildcard socket does not say: ours on the
   * same network, else our first public-facing one of that family; the wildcard itself when there is none.
   */
  facing(source: IpAddress): IpAddress
}

interface Interfaces {
  readonly addresses: ReadonlySet<IpAddress>
  readonly networks: readonly { readonly address: IpAddress; readonly network: BlockList; readonly internal: boolean }[]
}

/** `steadyMs` is a clock that never goes back. */
export function createLocalAddresses(steadyMs: () => number): LocalAddresses {
  let readAtMs = Number.NEGATIVE_INFINITY
  let known: Interfaces = { addresses: new Set(), networks: [] }
  let facing = new Map<IpAddress, IpAddress>()

  function current(): Interfaces {
    if (steadyMs() - readAtMs < REFRESH_MS) return known
    known = readInterfaces()
    facing = new Map()
    readAtMs = steadyMs()
    return known
  }

  return {
    all: () => current().addresses,
    facing(source) {
      const interfaces = current()
      const remembered = facing.get(source)
      if (remembered !== undefined) return remembered
      const address = facingAddress(interfaces, source)
      if (facing.size < 10_000) facing.set(source, address)
      return address
    },
  }
}

function readInterfaces(): Interfaces {
  const addresses = new Set<IpAddress>()
  const networks: Interfaces['networks'][number][] = []
  for (const entries of Object.values(networkInterfaces())) {
    for (const { address: text, cidr, family, internal } of entries ?? []) {
      const address = parseIp(text)
      if (address === null) continue
      addresses.add(address)
      const network = new BlockList()
      network.addSubnet(
        text,
        Number(cidr?.split('/')[1] ?? (family === 'IPv4' ? 32 : 128)),
        family === 'IPv4' ? 'ipv4' : 'ipv6',
      )
      networks.push({ address, network, internal })
    }
  }
  return { addresses, networks }
}

function facingAddress({ addresses, networks }: Interfaces, source: IpAddress): IpAddress {
  if (addresses.has(source)) return source // a program on this machine
  const family = isIpv4(source) ? 'ipv4' : 'ipv6'
  const candidates = networks.filter(({ address }) => isIpv4(address) === isIpv4(source))
  const near = candidates.find(({ network }) => network.check(source, family))
  const out = candidates.find(({ address, internal }) => !internal && !address.startsWith('fe80'))
  return (near ?? out)?.address ?? ((isIpv4(source) ? '0.0.0.0' : '::') as IpAddress)
}
