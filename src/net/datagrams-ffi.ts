// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { dlopen, getCurrentEventLoop, getInt32, getRawPointer } from 'node:ffi'
import { endianness } from 'node:os'
import { arch, platform } from 'node:process'
import { getSystemErrorName } from 'node:util'
import type { IpAddress } from './ip.ts'
import { BATCH, createMessageBatch, type Outgoing } from './message-batch.ts'
import {
  createAddressBook,
  layoutOf,
  readPort,
  readScope,
  type SocketAddress,
  socketAddressBytes,
} from './socket-address.ts'

/*
 * UDP sockets of the C library: many datagrams with one call, recvmmsg(2) and sendmmsg(2), where node:dgram takes some
 * microseconds for each. Nothing here blocks. That there is something to read is learned from Node's own event loop
 * (uv_poll_t of libuv), whose callback only asks for a turn: an exception in a callback from C would end the process.
 */

// <sys/socket.h>, <netinet/in.h> and <errno.h> of Linux on x64 and arm64.
const SOCK_DGRAM = 2
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_RCVBUF = 8
const SO_RCVBUFFORCE = 33
const IPPROTO_IP = 0
const IP_PKTINFO = 8
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const IPV6_RECVPKTINFO = 49
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const EAGAIN = 11
const EINTR = 4
const ENOBUFS = 105

// <uv.h>, the same in all of libuv 1.
const UV_POLL = 8
const UV_READABLE = 1
const UV_WRITABLE = 2

const ROOM_BYTES = 128 // for one value or address; below 65 V8 keeps bytes where a collection may move them
const MAX_KNOWN_ADDRESSES = 8_192 // chosen: some 2 MB; addresses beyond them cost a microsecond each

/** `to` is our address that the datagram was sent to, on a wildcard socket and where the kernel says it. */
export type TakeDatagram = (bytes: Buffer, source: SocketAddress, sourcePort: number, to: SocketAddress | null) => void

export interface DatagramSocket {
  readonly ip: IpAddress
  readonly port: number
  /** What the kernel gave, in its own counting: twice the bytes, for what it keeps beside them. */
  readonly receiveBufferBytes: number
  /**
   * One call for up to `BATCH` datagrams. `bytes` belong to this socket and are good until `take` returns. Says whether
   * more may be waiting; `failed` when the system reports an error of this socket, which may be used on.
   */
  receive(take: TakeDatagram): 'more' | 'none' | 'failed'
  /**
   * One call for up to `BATCH` datagrams, beginning with number `first`. How many the kernel took; `busy` when it takes
   * none just now, `refused` when it does not take the first one.
   */
  send(outgoing: readonly Outgoing[], first: number): number | 'busy' | 'refused'
  /** Calls, each in a turn of its own, while there is something to read, and once when there is room to send. */
  watch(onReadable: (() => void) | null, onWritable: (() => void) | null): void
  close(): Promise<void>
}

export interface DatagramCalls {
  /** Port 0 takes a free one. Throws an error with the code of the system (EADDRINUSE). */
  open(ip: IpAddress, port: number, receiveBufferBytes: number): DatagramSocket
}

/** Throws where these calls cannot be made: another machine, a Node.js without FFI, or FFI not permitted. */
export function openDatagramCalls(): DatagramCalls {
  if (platform !== 'linux' || !['x64', 'arm64'].includes(arch) || endianness() !== 'LE')
    throw new Error(`structures of 64-bit Linux are used, this is ${platform} on ${arch}`)
  const library = openLibrary()
  return { open: (ip, port, receiveBufferBytes) => openSocket(library, ip, port, receiveBufferBytes) }
}

type Library = ReturnType<typeof openLibrary>

function openLibrary() {
  const { lib, functions } = dlopen(null, {
    __errno_location: { arguments: [], return: 'pointer' },
    bind: { arguments: ['int32', 'buffer', 'uint32'], return: 'int32' },
    calloc: { arguments: ['uint64', 'uint64'], return: 'pointer' },
    close: { arguments: ['int32'], return: 'int32' },
    free: { arguments: ['pointer'], return: 'void' },
    getsockname: { arguments: ['int32', 'buffer', 'buffer'], return: 'int32' },
    getsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'buffer'], return: 'int32' },
    recvmmsg: { arguments: ['int32', 'pointer', 'uint32', 'int32', 'pointer'], return: 'int32' },
    sendmmsg: { arguments: ['int32', 'pointer', 'uint32', 'int32'], return: 'int32' },
    setsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'], return: 'int32' },
    socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    uv_close: { arguments: ['pointer', 'pointer'], return: 'void' },
    uv_handle_size: { arguments: ['int32'], return: 'uint64' },
    uv_poll_init: { arguments: ['pointer', 'pointer', 'int32'], return: 'int32' },
    uv_poll_start: { arguments: ['pointer', 'int32', 'pointer'], return: 'int32' },
    uv_poll_stop: { arguments: ['pointer'], return: 'int32' },
  })
  const errnoAt = functions.__errno_location() // of this thread
  return { lib, calls: functions, errno: () => getInt32(errnoAt) }
}

function openSocket(library: Library, ip: IpAddress, port: number, receiveBufferBytes: number): DatagramSocket {
  const { calls, errno } = library
  const layout = layoutOf(ip)
  const isWildcard = ip === '0.0.0.0' || ip === '::'
  const socket = calls.socket(layout.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (socket === -1) throw systemError('socket', errno())
  try {
    prepare()
    return opened()
  } catch (error) {
    calls.close(socket)
    throw error
  }

  function setOption(level: number, name: number, value: number): boolean {
    const room = Buffer.alloc(ROOM_BYTES)
    room.writeInt32LE(value)
    return calls.setsockopt(socket, level, name, room, 4) === 0
  }

  function prepare(): void {
    // Past net.core.rmem_max where CAP_NET_ADMIN allows it. What came of it is told to the operator.
    if (!setOption(SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes)) setOption(SOL_SOCKET, SO_RCVBUF, receiveBufferBytes)
    if (layout.addressLength === 16 && !setOption(IPPROTO_IPV6, IPV6_V6ONLY, 1))
      throw systemError('setsockopt', errno())
    if (isWildcard && layout.addressLength === 16) setOption(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
    if (isWildcard && layout.addressLength === 4) setOption(IPPROTO_IP, IP_PKTINFO, 1)
    const address = Buffer.alloc(ROOM_BYTES)
    address.set(socketAddressBytes(ip, port))
    if (calls.bind(socket, address, layout.length) !== 0) throw systemError('bind', errno())
  }

  function readInto(read: (room: Buffer, length: Buffer) => number): Buffer {
    const [room, length] = [Buffer.alloc(ROOM_BYTES), Buffer.alloc(ROOM_BYTES)]
    length.writeUInt32LE(ROOM_BYTES)
    if (read(room, length) !== 0) throw systemError('getsockopt', errno())
    return room
  }

  function opened(): DatagramSocket {
    const bound = readInto((room, length) => calls.getsockname(socket, room, length))
    const book = createAddressBook(layout, MAX_KNOWN_ADDRESSES)
    const [incoming, outgoing] = [1, 2].map(() => createMessageBatch(layout, book, getRawPointer))
    if (incoming === undefined || outgoing === undefined) throw new Error('two are made')
    const poll = openPoll(library, socket)
    return {
      ip: book.find(bound, layout.addressAt, readScope(layout, bound, 0)).ip,
      port: readPort(bound, 0),
      receiveBufferBytes: readInto((room, length) =>
        calls.getsockopt(socket, SOL_SOCKET, SO_RCVBUF, room, length),
      ).readInt32LE(),
      receive(take) {
        incoming.clear(BATCH)
        const count = calls.recvmmsg(socket, incoming.pointer, BATCH, MSG_DONTWAIT, null)
        if (count === -1) {
          const error = errno()
          return error === EAGAIN ? 'none' : error === EINTR ? 'more' : 'failed'
        }
        for (let index = 0; index < count; index++) {
          const to = isWildcard ? incoming.destination(index) : null
          take(incoming.received(index), incoming.source(index), incoming.sourcePort(index), to)
        }
        return count === BATCH ? 'more' : 'none'
      },
      send(messages, first) {
        const count = Math.min(messages.length - first, BATCH)
        for (let index = 0; index < count; index++) {
          const message = messages[first + index]
          if (message !== undefined) outgoing.write(index, message)
        }
        const taken = calls.sendmmsg(socket, outgoing.pointer, count, MSG_DONTWAIT | MSG_NOSIGNAL)
        if (taken > 0) return taken
        const error = errno()
        return error === EAGAIN || error === EINTR || error === ENOBUFS ? 'busy' : 'refused'
      },
      watch: poll.watch,
      async close() {
        await poll.close()
        calls.close(socket)
      },
    }
  }
}

function systemError(call: string, errno: number): Error {
  const code = getSystemErrorName(-errno)
  return Object.assign(new Error(`${call} ${code}`), { code, errno: -errno, syscall: call })
}

interface Poll {
  watch: DatagramSocket['watch']
  close(): Promise<void>
}

/** What libuv keeps of it is the C library's memory, freed when libuv has said that it is done with it. */
function openPoll({ lib, calls }: Library, socket: number): Poll {
  const handle = calls.calloc(1n, calls.uv_handle_size(UV_POLL))
  if (calls.uv_poll_init(getCurrentEventLoop(), handle, socket) !== 0) {
    calls.free(handle)
    throw new Error('libuv does not poll this socket')
  }
  let onReadable: (() => void) | null = null
  let onWritable: (() => void) | null = null
  let isClosed = false

  function turn(status: number, events: number): void {
    if (isClosed) return
    // An error that waits at the socket ends the polling; whoever reads gets it.
    if (status < 0 || (events & UV_READABLE) !== 0) onReadable?.()
    if (status < 0 || (events & UV_WRITABLE) !== 0) onWritable?.()
    if (status < 0) start()
  }

  function start(): void {
    if (isClosed) return
    const events = (onReadable === null ? 0 : UV_READABLE) | (onWritable === null ? 0 : UV_WRITABLE)
    if (events === 0) calls.uv_poll_stop(handle)
    else calls.uv_poll_start(handle, events, ready)
  }

  const ready = lib.registerCallback(
    { arguments: ['pointer', 'int32', 'int32'], return: 'void' },
    (_handle, status, events) => void setImmediate(turn, status, events),
  )

  return {
    watch(readable, writable) {
      onReadable = readable
      onWritable = writable
      start()
    },
    close() {
      if (isClosed) return Promise.resolve()
      isClosed = true
      return new Promise((resolve) => {
        const closed = lib.registerCallback({ arguments: ['pointer'], return: 'void' }, () => {
          setImmediate(() => {
            calls.free(handle)
            lib.unregisterCallback(ready) // not from within a callback
            lib.unregisterCallback(closed)
            resolve()
          })
        })
        calls.uv_close(handle, closed)
      })
    },
  }
}
