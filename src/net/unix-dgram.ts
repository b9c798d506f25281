// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { UnixSocketCalls } from './unix-dgram-ffi.ts'

/*
 * Node has no datagram UNIX sockets, and syslog's /dev/log is one. Where Node can call C functions (node:ffi, since
 * 26.1) the socket is used directly; elsewhere util-linux's `logger` sends for us. Both ways take a line or count it:
 * nothing here ever waits for syslog.
 */

const RECONNECT_MS = 1_000
const BUSY_RETRY_MS = 5 // chosen: a receiver's queue holds 10 datagrams (net.unix.max_dgram_qlen), so 2,000 lines a second
const BUSY_IS_TROUBLE_MS = 1_000 // a receiver that is busy for a moment is nothing to tell of
const CLOSE_WITHIN_MS = 500
const MAX_QUEUED = 10_000 // chosen: lines that may wait for a syslog that is busy or restarting

export interface UnixDatagram {
  /** Sends one datagram, or queues it while nobody takes it; the newest are dropped and counted beyond the bound. */
  send(line: string): void
  /** Lines that the socket took. */
  sent(): number
  /** Lines that wait for the socket. */
  waiting(): number
  dropped(): number
  /** What keeps lines from leaving now; null when nothing does. */
  trouble(): string | null
  /** Goes on sending for at most half a second while the socket takes lines, tells of what is left, and lets go. */
  close(): Promise<void>
}

export interface UnixDatagramOptions {
  /** What `logger` would call us. */
  readonly tag: string
  readonly onTrouble: (text: string) => void
  readonly onRecovered: () => void
  /** Called at most once, when closing: so many lines were still waiting and are lost. */
  readonly onLost: (lines: number) => void
  /** `direct` and `logger` force a way, for tests. */
  readonly way?: 'direct' | 'logger' | 'best'
}

/** What became of one line: taken, or to be tried again, soon (`busy`) or when somebody is there (`away`). */
type Outcome = 'sent' | 'busy' | 'away'

interface Carrier {
  send(line: string): Outcome
  close(): Promise<void>
}

/** Never throws for a socket that is not there: it is tried again in the background. */
export async function openUnixDatagram(path: string, options: UnixDatagramOptions): Promise<UnixDatagram> {
  const { onTrouble, onRecovered, onLost, way = 'best' } = options
  const calls = way === 'logger' ? null : await loadCalls()
  const carrier = calls === null ? loggerCarrier(path, options.tag, loggerFailed) : directCarrier(path, calls)
  const queue: string[] = []
  let sent = 0
  let dropped = 0
  let trouble: string | null = null
  let busySinceMs: number | null = null
  let retry: NodeJS.Timeout | null = null

  function failed(text: string): void {
    trouble = text
    onTrouble(text)
  }

  function loggerFailed(text: string): void {
    failed(text)
    tryAgain(RECONNECT_MS)
  }

  function tryAgain(afterMs: number): void {
    retry ??= setTimeout(() => {
      retry = null
      if (queue.length === 0 && !isSocket(path)) tryAgain(RECONNECT_MS)
      else drain()
    }, afterMs).unref()
  }

  function drain(): void {
    const outcome = sendQueued()
    if (outcome !== 'sent') tryAgain(outcome === 'busy' ? BUSY_RETRY_MS : RECONNECT_MS)
  }

  /** `sent`: nothing waits any more. */
  function sendQueued(): Outcome {
    while (queue.length > 0) {
      const outcome = carrier.send(queue[0] ?? '')
      if (outcome === 'away') {
        busySinceMs = null
        failed(`cannot connect to ${path}`)
        return outcome
      }
      if (outcome === 'busy') {
        busySinceMs ??= performance.now()
        if (trouble === null && performance.now() - busySinceMs >= BUSY_IS_TROUBLE_MS)
          failed(`${path} takes no lines at the moment`)
        return outcome
      }
      busySinceMs = null
      sent++
      queue.shift()
    }
    if (trouble !== null) onRecovered()
    trouble = null
    return 'sent'
  }

  if (!isSocket(path)) {
    failed(`${path} is not there; lines wait until it is (${MAX_QUEUED} at most)`)
    tryAgain(RECONNECT_MS)
  }

  return {
    send(line) {
      if (queue.length >= MAX_QUEUED) {
        dropped++
        failed(trouble ?? `${path} does not keep up, new lines are dropped`)
        return
      }
      queue.push(line)
      if (retry === null) drain()
    },
    sent: () => sent,
    waiting: () => queue.length,
    dropped: () => dropped,
    trouble: () => trouble,
    async close() {
      const deadlineMs = performance.now() + CLOSE_WITHIN_MS
      if (retry !== null) clearTimeout(retry)
      while (sendQueued() === 'busy' && performance.now() < deadlineMs) await delay(BUSY_RETRY_MS)
      const lost = queue.length
      queue.length = 0
      dropped += lost
      if (lost > 0) onLost(lost)
      await carrier.close()
      if (retry !== null) clearTimeout(retry)
    },
  }
}

async function loadCalls(): Promise<UnixSocketCalls | null> {
  try {
    const { openUnixSocketCalls } = await import('./unix-dgram-ffi.ts')
    return openUnixSocketCalls()
  } catch {
    return null // this Node has no node:ffi, or the C library is not where it is looked for: logger does it
  }
}

function directCarrier(path: string, calls: UnixSocketCalls): Carrier {
  let socket = -1
  return {
    send(line) {
      if (socket !== -1) {
        if (calls.send(socket, line) === 'sent') return 'sent'
        calls.close(socket) // the syslog daemon is busy, or was restarted and its socket is another one now
      }
      socket = calls.connect(path)
      if (socket === -1) return 'away'
      return calls.send(socket, line) === 'sent' ? 'sent' : 'busy'
    },
    async close() {
      if (socket !== -1) calls.close(socket)
    },
  }
}

/** One `logger` that reads lines from its standard input; their leading `<PRI>tag[pid]: ` is split off again. */
function loggerCarrier(path: string, tag: string, onTrouble: (text: string) => void): Carrier {
  let child: ReturnType<typeof spawn> | null = null
  let full = false
  let restUntilMs = 0 // after a logger that failed

  function start(): ReturnType<typeof spawn> {
    const id = `--id=${process.pid}`
    const started = spawn('logger', ['--socket', path, '--tag', tag, id, '--prio-prefix', '--socket-errors=on'], {
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    const gone = (text: string) => {
      if (child === started) child = null
      full = false
      restUntilMs = performance.now() + RECONNECT_MS
      onTrouble(text)
    }
    started.on('error', (error) => gone(`cannot run logger: ${error.message}`))
    started.on('exit', (code) => code !== 0 && gone(`logger ended with ${code}; is ${path} there?`))
    started.stdin?.on('error', (error) => gone(`logger takes no lines: ${error.message}`))
    started.stdin?.on('drain', () => {
      full = false
    })
    started.stderr?.resume()
    return started
  }

  return {
    send(line) {
      if (full) return 'busy'
      if (child === null && (performance.now() < restUntilMs || !isSocket(path))) return 'away'
      child ??= start()
      const [, priority = '', text = ''] = /^(<\d+>)[^:]*: (.*)$/s.exec(line) ?? []
      full = child.stdin?.write(`${priority}${text}\n`) === false
      return 'sent'
    },
    async close() {
      const last = child
      if (last === null) return
      const ended = new Promise((resolve) => last.once('close', resolve))
      last.stdin?.end()
      await ended
    },
  }
}

function isSocket(path: string): boolean {
  try {
    return statSync(path).isSocket()
  } catch {
    return false
  }
}
