// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../fuzz/random.ts'
import type { Ports } from '../node-process.ts'
import type { Ledger } from './ledger.ts'

/** What all who send traffic have in common. */
export interface Stage {
  readonly ports: Ports
  readonly folder: string
  readonly ledger: Ledger
  /** Choices of its own for each actor. */
  readonly random: (stream: number) => Random
  /** Aborted when no more shall be sent. */
  readonly over: AbortSignal
  /** Counts what was done, for the report. */
  note(what: string, count?: number): void
  /** Another program holds, or has let go of, the lock of the database. */
  locked(isLocked: boolean): void
  /** Something is wrong that the accounting at the end would not see. */
  complain(why: string): void
}

/** Sends its part of the traffic until the stage is over; resolves when its sockets are closed and its processes ended. */
export type Actor = (stage: Stage) => Promise<void>

/** Resolves with true after `ms`, or at once with false when the stage is over. */
export async function pause({ over }: Pick<Stage, 'over'>, ms: number): Promise<boolean> {
  if (over.aborted) return false
  return delay(ms, true, { signal: over }).catch(() => false)
}

/** Somebody on a loopback address of his own. */
export interface Source {
  readonly address: string
  readonly port: number
  /** Sends one datagram; `onLeft` is called once the kernel has taken it. */
  send(bytes: Buffer | string, onLeft: () => void): void
  onAnswer(heard: (answer: Buffer) => void): void
  /** Resolves when the kernel has taken or refused everything. */
  close(): Promise<void>
}

export async function openSource({ ports }: Pick<Stage, 'ports'>, address: string): Promise<Source> {
  const socket: Socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 18 })
  socket.on('error', () => {}) // the node is gone, and the accounting notices
  socket.bind(0, address)
  await once(socket, 'listening')
  let unsent = 0
  return {
    address,
    port: socket.address().port,
    send(bytes, onLeft) {
      unsent++
      socket.send(bytes, ports.udp, '127.0.0.1', (error) => {
        unsent--
        if (error === null) onLeft()
      })
    },
    onAnswer: (heard) => void socket.on('message', heard),
    async close() {
      while (unsent > 0) await delay(1)
      socket.close()
    },
  }
}

/** Opens so many at `127.NET.0.1` and on. */
export function openSources(stage: Stage, net: number, count: number): Promise<Source[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => openSource(stage, `127.${net}.0.${1 + index}`)))
}
