// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { IpAddress } from '../net/ip.ts'
import type { Outgoing } from '../net/message-batch.ts'
import type { Packet, ReturnPath } from '../net/packet.ts'
import type { SocketAddress } from '../net/socket-address.ts'

/*
 * Classes, since there is one for each packet of a flood. What many packets of one source have in common is one object,
 * so that what waits for a commit, or is remembered after it, is little more than its bytes.
 */

export interface EndpointsOptions {
  readonly destinationPort: number
  /** Null when the socket has all of ours. */
  readonly destinationIp: IpAddress | null
  /** Our address for packets of this source where the kernel does not say which was meant. It may change. */
  readonly destinationFor: (source: IpAddress) => IpAddress
  readonly send: (reply: Outgoing) => boolean
}

/** Finds the same object again for the last port that an address has sent from: a scanner keeps to one for long. */
export function createEndpoints({ destinationPort, destinationIp, destinationFor, send }: EndpointsOptions) {
  const latest: (Endpoint | undefined)[] = [] // by the address's place in its book
  return (source: SocketAddress, port: number, to: SocketAddress | null): Endpoint => {
    const known = latest[source.place]
    if (known !== undefined && known.to === source && known.sourcePort === port && known.from === to) return known
    const destination = to?.ip ?? destinationIp
    const endpoint = new Endpoint(source, port, to, destination ?? destinationFor(source.ip), destinationPort, send)
    if (destination !== null) latest[source.place] = endpoint
    return endpoint
  }
}

class Endpoint implements ReturnPath {
  readonly transport = 'UDP'
  readonly to: SocketAddress
  readonly sourceIp: IpAddress
  readonly sourcePort: number
  readonly from: SocketAddress | null
  readonly destinationIp: IpAddress
  readonly destinationPort: number
  readonly #send: EndpointsOptions['send']

  constructor(
    to: SocketAddress,
    port: number,
    from: SocketAddress | null,
    destinationIp: IpAddress,
    destinationPort: number,
    send: EndpointsOptions['send'],
  ) {
    this.to = to
    this.sourceIp = to.ip
    this.sourcePort = port
    this.from = from
    this.destinationIp = destinationIp
    this.destinationPort = destinationPort
    this.#send = send
  }

  /**
   * To where the packet came from, not to the Via sent-by: RFC 3581 §4 asks it when rport is present, and a honeypot does
   * it always, since Via names whatever third party the attacker likes. From the address that it was sent to: an answer
   * from another one is not taken for an answer.
   */
  reply(bytes: Buffer): boolean {
    return this.#send({ bytes, to: this.to, port: this.sourcePort, from: this.from })
  }
}

/** One datagram, whole, of which nothing is kept open. */
export class Datagram implements Packet {
  readonly path: ReturnPath
  readonly bytes: Buffer

  constructor(path: ReturnPath, bytes: Buffer) {
    this.path = path
    this.bytes = bytes
  }

  get transport() {
    return this.path.transport
  }

  get sourceIp() {
    return this.path.sourceIp
  }

  get sourcePort() {
    return this.path.sourcePort
  }

  get destinationIp() {
    return this.path.destinationIp
  }

  get destinationPort() {
    return this.path.destinationPort
  }

  get complete() {
    return true
  }

  reply(bytes: Buffer): boolean {
    return this.path.reply(bytes)
  }

  done(): void {}
}
