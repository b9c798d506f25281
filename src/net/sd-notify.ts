// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { execFile } from 'node:child_process'
import type { UnixSocketCalls } from './unix-dgram-ffi.ts'

/*
 * How a service manager is told how we are: NAME=value lines in a datagram to the socket that NOTIFY_SOCKET names
 * (sd_notify(3)). Where Node cannot call C functions, the program systemd-notify sends for us.
 */

const RETRY_MS = 100 // chosen: for a queue that is full (net.unix.max_dgram_qlen), or a manager that restarts
const MAX_WAITING = 32 // chosen: whoever missed that many has missed the deadline of its watchdog too
const PROGRAM = 'systemd-notify'
const PROGRAM_WITHIN_MS = 5_000

/** Sends one datagram with these lines, in the order of the calls. Does not throw or wait. */
export type Notify = (lines: string) => void

export interface NotifyOptions {
  /** Told of what keeps datagrams from leaving; may be called for each of them. */
  readonly onTrouble: (text: string) => void
  /** `direct` and `program` force a way, for tests. */
  readonly way?: 'direct' | 'program' | 'best'
}

/** `path` is the value of NOTIFY_SOCKET; one that begins with `@` is in the abstract namespace, unix(7). */
export async function openNotifySocket(path: string, { onTrouble, way = 'best' }: NotifyOptions): Promise<Notify> {
  const calls = way === 'program' ? null : await loadCalls()
  if (calls !== null) return notifyDirectly(path, calls, onTrouble)
  if (way === 'direct') throw new Error('this Node.js cannot call C functions')
  return notifyByProgram(path, onTrouble)
}

async function loadCalls(): Promise<UnixSocketCalls | null> {
  try {
    const { openUnixSocketCalls } = await import('./unix-dgram-ffi.ts')
    return openUnixSocketCalls()
  } catch {
    return null // no node:ffi, or it is not permitted
  }
}

function notifyDirectly(path: string, calls: UnixSocketCalls, onTrouble: (text: string) => void): Notify {
  const address = path.startsWith('@') ? `\0${path.slice(1)}` : path
  const waiting: string[] = []
  let retry: NodeJS.Timeout | null = null

  function sendWaiting(): void {
    retry = null
    for (let lines = waiting[0]; lines !== undefined; lines = waiting[0]) {
      const socket = calls.connect(address)
      const sent = socket !== -1 && calls.send(socket, lines) === 'sent'
      if (socket !== -1) calls.close(socket)
      if (!sent) {
        retry = setTimeout(sendWaiting, RETRY_MS).unref()
        return
      }
      waiting.shift()
    }
  }

  return (lines) => {
    if (waiting.length >= MAX_WAITING) return onTrouble(`${path} takes nothing: the service manager is not told`)
    waiting.push(lines)
    if (retry === null) sendWaiting()
  }
}

function notifyByProgram(path: string, onTrouble: (text: string) => void): Notify {
  let turn = Promise.resolve()
  let waiting = 0
  const send = (lines: string) =>
    new Promise<void>((done) => {
      execFile(PROGRAM, lines.split('\n'), { timeout: PROGRAM_WITHIN_MS }, (error) => {
        if (error !== null) onTrouble(`systemd-notify could not reach ${path}: ${error.message.trim()}`)
        done()
      })
    }).catch((error: unknown) => onTrouble(`cannot run systemd-notify: ${error}`)) // not permitted: it throws
  return (lines) => {
    if (waiting >= MAX_WAITING) return onTrouble(`${path} takes nothing: the service manager is not told`)
    waiting++
    turn = turn.then(() => send(lines)).finally(() => waiting--)
  }
}
