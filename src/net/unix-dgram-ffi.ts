// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { dlopen } from 'node:ffi'
import { platform } from 'node:process'

// <sys/socket.h> of Linux, the same on every architecture that Node runs on.
const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const SOCKADDR_UN_BYTES = 110 // sa_family_t and 108 bytes of path, unix(7)
const MIN_BUFFER_BYTES = 65 // below that V8 keeps bytes inside the object, where a collection may move them

/** The few C calls that a datagram UNIX socket takes. Nothing here blocks. */
export interface UnixSocketCalls {
  /** A connected socket's number, or -1. A path that begins with NUL is an abstract name, unix(7). */
  connect(path: string): number
  /** `gone`: not taken; the other end is away, or is busy: only a new `connect` tells which. */
  send(socket: number, line: string): 'sent' | 'gone'
  close(socket: number): void
}

/** Throws where the C library's sockets cannot be called: not Linux, or FFI not permitted. */
export function openUnixSocketCalls(): UnixSocketCalls {
  if (platform !== 'linux') throw new Error(`the socket constants are those of Linux, this is ${platform}`)
  const { functions } = dlopen(null, {
    socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    connect: { arguments: ['int32', 'buffer', 'uint32'], return: 'int32' },
    send: { arguments: ['int32', 'buffer', 'uint64', 'int32'], return: 'int64' },
    close: { arguments: ['int32'], return: 'int32' },
  })
  return {
    connect(path) {
      const pathBytes = Buffer.from(path)
      if (pathBytes.length >= SOCKADDR_UN_BYTES - 2) return -1
      const address = Buffer.alloc(SOCKADDR_UN_BYTES)
      new DataView(address.buffer, address.byteOffset).setUint16(0, AF_UNIX, isLittleEndian())
      pathBytes.copy(address, 2)
      const socket = functions.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
      if (socket === -1) return -1
      const end = pathBytes[0] === 0 ? 0 : 1 // a path ends with a NUL, an abstract name with its last byte
      if (functions.connect(socket, address, 2 + pathBytes.length + end) === 0) return socket
      functions.close(socket)
      return -1
    },
    send(socket, line) {
      const length = Buffer.byteLength(line)
      const bytes = Buffer.alloc(Math.max(length, MIN_BUFFER_BYTES))
      bytes.write(line)
      return functions.send(socket, bytes, BigInt(length), MSG_DONTWAIT | MSG_NOSIGNAL) === BigInt(length)
        ? 'sent'
        : 'gone'
    },
    close(socket) {
      functions.close(socket)
    },
  }
}

function isLittleEndian(): boolean {
  return new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
}
