// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import {
  type AddressBook,
  type AddressLayout,
  readPort,
  readScope,
  type SocketAddress,
  writePort,
} from './socket-address.ts'

/*
 * The memory that recvmmsg(2) fills and sendmmsg(2) reads: an array of struct mmsghdr and what it points to, as 64-bit
 * little-endian Linux has them, with glibc or musl. Made once and used again and again.
 */

/** Messages in one call. Measured: 16 cost more per datagram, 32 to 256 the same. */
export const BATCH = 64

/** Of IPv6, without extension headers; IPv4 takes 20 bytes less and says so itself (RFC 768, RFC 8200). */
export const LONGEST_PAYLOAD = 65_527

const SLOT_BYTES = 65_536 // the length field of UDP has 16 bits, so nothing is ever cut off
const HEADER_BYTES = 64 // struct mmsghdr: struct msghdr of 56 bytes, unsigned int, padding
const VECTOR_BYTES = 16 // struct iovec
const NAME_BYTES = 32 // struct sockaddr_in6 has 28
const CONTROL_BYTES = 64 // one struct cmsghdr with a struct in6_pktinfo has 40

// struct mmsghdr in 64-bit and in 32-bit words.
const NAME = 0
const NAME_LENGTH = 2
const VECTORS = 2
const VECTOR_COUNT = 3
const CONTROL = 4
const CONTROL_LENGTH = 10
const MESSAGE_LENGTH = 14

// struct iovec in 32-bit words; no length needs the upper half of its 64 bits.
const VECTOR_LENGTH = 2

// struct cmsghdr: length, level, type, then what it carries.
const CONTROL_LEVEL_AT = 8
const CONTROL_TYPE_AT = 12
const CONTROL_DATA_AT = 16

/** Where a control message says which of our addresses a datagram came to or leaves from: ip(7), ipv6(7). */
const PACKET_INFO = {
  4: { level: 0, type: 8, length: 12, addressAt: 4 }, // IP_PKTINFO: interface, local address, destination
  16: { level: 41, type: 50, length: 20, addressAt: 0 }, // IPV6_PKTINFO: address, interface
} as const
const INTERFACE_AT = 16 // of the IPv6 one

/** One datagram that is to go out. */
export interface Outgoing {
  readonly bytes: Uint8Array
  readonly to: RawAddress
  readonly port: number
  /** The address of ours that it leaves from; null lets the kernel choose, or the socket has but one. */
  readonly from: RawAddress | null
}

type RawAddress = Pick<SocketAddress, 'raw'>

export interface MessageBatch {
  /** Where the array of headers is. */
  readonly pointer: bigint
  /** Before reading: makes room in the first `count` messages. */
  clear(count: number): void
  /** The bytes of a message as they lie there, until the next call. */
  received(index: number): Buffer
  source(index: number): SocketAddress
  sourcePort(index: number): number
  /** The address of ours that it was sent to; null where the kernel did not say, and for multicast. */
  destination(index: number): SocketAddress | null
  write(index: number, outgoing: Outgoing): void
}

/** `pointerOf` tells where bytes are; they stay there, since the batch keeps them. */
export function createMessageBatch(
  layout: AddressLayout,
  book: AddressBook,
  pointerOf: (bytes: ArrayBuffer) => bigint,
): MessageBatch {
  const memory = (bytesEach: number) => new ArrayBuffer(BATCH * bytesEach) // pages that are never touched cost nothing
  const [headers, vectors] = [memory(HEADER_BYTES), memory(VECTOR_BYTES)]
  const [names, controls, slots] = [memory(NAME_BYTES), memory(CONTROL_BYTES), memory(SLOT_BYTES)].map((made) =>
    Buffer.from(made),
  ) as [Buffer, Buffer, Buffer] // as many as were mapped
  const words = new Uint32Array(headers)
  const longWords = new BigUint64Array(headers)
  const longVectorWords = new BigUint64Array(vectors)
  const vectorWords = new Uint32Array(vectors)
  const info = PACKET_INFO[layout.addressLength]
  const infoSpace = (CONTROL_DATA_AT + info.length + 7) & ~7 // CMSG_SPACE

  for (let index = 0; index < BATCH; index++) {
    const at = (array: ArrayBuffer, bytesEach: number) => pointerOf(array) + BigInt(index * bytesEach)
    const header = index * (HEADER_BYTES / 8)
    longWords[header + NAME] = at(names.buffer as ArrayBuffer, NAME_BYTES)
    words[header * 2 + NAME_LENGTH] = layout.length
    longWords[header + VECTORS] = at(vectors, VECTOR_BYTES)
    longWords[header + VECTOR_COUNT] = 1n
    longWords[header + CONTROL] = at(controls.buffer as ArrayBuffer, CONTROL_BYTES)
    longVectorWords[index * 2] = at(slots.buffer as ArrayBuffer, SLOT_BYTES)
    longVectorWords[index * 2 + 1] = BigInt(SLOT_BYTES)
  }

  return {
    pointer: pointerOf(headers),
    clear(count) {
      for (let index = 0; index < count; index++) {
        words[index * 16 + NAME_LENGTH] = layout.length
        words[index * 16 + CONTROL_LENGTH] = CONTROL_BYTES
      }
    },
    received(index) {
      const start = index * SLOT_BYTES
      return slots.subarray(start, start + (words[index * 16 + MESSAGE_LENGTH] ?? 0))
    },
    source(index) {
      const name = index * NAME_BYTES
      return book.find(names, name + layout.addressAt, readScope(layout, names, name))
    },
    sourcePort: (index) => readPort(names, index * NAME_BYTES),
    destination(index) {
      const control = index * CONTROL_BYTES
      if ((words[index * 16 + CONTROL_LENGTH] ?? 0) < infoSpace) return null
      if (controls.readInt32LE(control + CONTROL_LEVEL_AT) !== info.level) return null
      if (controls.readInt32LE(control + CONTROL_TYPE_AT) !== info.type) return null
      const address = control + CONTROL_DATA_AT + info.addressAt
      if (layout.addressLength === 4) return book.find(controls, address)
      if (controls[address] === 0xff) return null
      const isOfOneLink = controls[address] === 0xfe && ((controls[address + 1] ?? 0) & 0xc0) === 0x80 // RFC 4291 §2.5.6
      const scope = isOfOneLink ? controls.readUInt32LE(control + CONTROL_DATA_AT + INTERFACE_AT) : 0
      return book.find(controls, address, scope)
    },
    write(index, { bytes, to, port, from }) {
      names.set(to.raw, index * NAME_BYTES)
      writePort(names, index * NAME_BYTES, port)
      slots.set(bytes, index * SLOT_BYTES)
      vectorWords[index * 4 + VECTOR_LENGTH] = bytes.length
      words[index * 16 + CONTROL_LENGTH] = from === null ? 0 : infoSpace
      if (from === null) return
      const control = index * CONTROL_BYTES
      controls.fill(0, control, control + infoSpace)
      controls.writeUInt32LE(CONTROL_DATA_AT + info.length, control)
      controls.writeInt32LE(info.level, control + CONTROL_LEVEL_AT)
      controls.writeInt32LE(info.type, control + CONTROL_TYPE_AT)
      const address = from.raw.subarray(layout.addressAt, layout.addressAt + layout.addressLength)
      controls.set(address, control + CONTROL_DATA_AT + info.addressAt)
      // From an address of one link nothing goes to one of all links unless the link is said. Where `to` has one it is that.
      const scope = readScope(layout, to.raw, 0) === 0 ? readScope(layout, from.raw, 0) : 0
      if (scope !== 0) controls.writeUInt32LE(scope, control + CONTROL_DATA_AT + INTERFACE_AT)
    },
  }
}
