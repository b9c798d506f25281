// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { isIP } from 'node:net'
import type { DatagramCalls } from '../net/datagrams-ffi.ts'
import { parseIp } from '../net/ip.ts'
import { reason } from '../ops/errors.ts'
import { listenFailure } from './failure.ts'
import { readKernelDrops } from './kernel-drops.ts'
import type { Listener } from './listener.ts'
import { openBatchedUdp } from './udp-batched.ts'
import { openDgramUdp } from './udp-dgram.ts'
import type { UdpParts, UdpSocket } from './udp-socket.ts'

export interface UdpOptions extends UdpParts {
  readonly host: string
  readonly port: number
  /** `auto` takes many datagrams with one call of the system where that can be done, `dgram` one at a time. */
  readonly way: 'auto' | 'dgram'
  /** Told once which way it is. */
  readonly onWay: (text: string) => void
}

/** SIP over UDP on one address; every datagram is one packet (RFC 3261 §18.1.2). */
export async function listenUdp({ host, port, way, onWay, ...parts }: UdpOptions): Promise<Listener> {
  const calls = way === 'dgram' ? 'not wanted' : await callsFor(host)
  onWay(typeof calls === 'string' ? `by node:dgram, one at a time (${calls})` : 'by recvmmsg, many with one call')
  const socket = await open().catch((cause) => {
    throw listenFailure('SIP over UDP', host, port, '--sip-listen', cause)
  })
  return { ...socket, transport: 'UDP', kernelDrops: () => readKernelDrops(socket.address, socket.port) }

  async function open(): Promise<UdpSocket> {
    const ip = parseIp(host)
    if (typeof calls === 'string' || ip === null) return openDgramUdp(host, port, parts)
    return openBatchedUdp(calls, ip, port, parts)
  }
}

/** Or the reason why there are none. */
async function callsFor(host: string): Promise<DatagramCalls | string> {
  if (isIP(host) === 0 || host.includes('%')) return `${host} is a name, or an address of one link`
  try {
    const { openDatagramCalls } = await import('../net/datagrams-ffi.ts')
    return openDatagramCalls()
  } catch (error) {
    return reason(error) // no node:ffi in this Node.js, or not permitted, or not this kind of machine
  }
}
