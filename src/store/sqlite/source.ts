// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type IpAddress, parseEndpoint, parseIp } from '../../net/ip.ts'

/** What a `source_ip` cell says when others wrote it. */
export interface Source {
  /** As the cell has to be: the bare address where there is one, else unchanged. */
  readonly ip: string | null
  readonly port: number | null
  /** Null when the cell has no address in it. */
  readonly address: IpAddress | null
}

/** Splits `192.0.2.1:5060` and `[2001:db8::1]:5060`, the form that 4.x versions of the C program write. */
export function splitSource(cell: unknown): Source {
  if (typeof cell !== 'string') return { ip: null, port: null, address: null }
  const bare = parseIp(cell)
  if (bare !== null) return { ip: bare, port: null, address: bare }
  const endpoint = parseEndpoint(cell)
  const address = endpoint === null ? null : parseIp(endpoint.host)
  return address === null || endpoint === null
    ? { ip: cell, port: null, address: null }
    : { ip: address, port: endpoint.port, address }
}
