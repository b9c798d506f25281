// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { spawn } from 'node:child_process'
import { stat } from 'node:fs/promises'
import type { UnixSocketCalls } from './unix-dgram-ffi.ts'

/*
 * Node has no datagram UNIX sockets, and syslog's /dev/log is one. Where Node can call C functions (node:ffi, since
 * 26.1) the socket is used directly; elsewhere util-linux's `logger` sends for us. Both ways take a line or count it:
 * nothing here ever waits for syslog.
 */

const RECONNECT_MS = 1_000
const MAX_QUEUED = 10_000 // chosen: lines that may wait for a syslog that is busy or restarting

export interface UnixDatagram {
  /** Sends one datagram, or queues it while nobody takes it; the newest are dropped and counted beyond the bound. */
  send(line: string): void
  dropped(): number
  /** Gives what is queued one more try, then lets go. */
  close(): Promise<void>
}

export interface UnixDatagramOptions {
  /** What `logger` would call us. */
  readonly tag: string
  readonly onTrouble: (text: string) => void
  readonly onRecovered: () => void
  /** `direct` and `logger` force a way, for tests. */
  readonly way?: 'direct' | 'logger' | 'best'
}

/** What sends one line: taken, to be tried again later, or gone for good. */
interface Carrier {
  send(line: string): 'sent' | 'later'
  close(): Promise<void>
}

/** Never throws for a socket that is not there: it is tried again in the background. */
export async function openUnixDatagram(path: string, options: UnixDatagramOptions): Promise<UnixDatagram> {
  const { onTrouble, onRecovered, way = 'best' } = options
  const calls = way === 'logger' ? null : await loadCalls()
  const carrier = calls === null ? loggerCarrier(path, options) : directCarrier(path, calls, onTrouble)
  const queue: string[] = []
  let dropped = 0
  let retry: NodeJS.Timeout | null = null

  function drain(): void {
    while (queue.length > 0) {
      if (carrier.send(queue[0] ?? '') === 'later') {
        retry ??= setTimeout(again, RECONNECT_MS).unref()
        return
      }
      queue.shift()
    }
  }

  function again(): void {
    retry = null
    drain()
    if (retry === null) onRecovered()
  }

  if (!(await isSocket(path))) onTrouble(`${path} is not there; lines wait until it is (${MAX_QUEUED} at most)`)

  return {
    send(line) {
      if (queue.length >= MAX_QUEUED) {
        dropped++
        return
      }
      queue.push(line)
      if (retry === null) drain()
    },
    dropped: () => dropped,
    async close() {
      if (retry !== null) clearTimeout(retry)
      drain()
      if (retry !== null) clearTimeout(retry)
      dropped += queue.length
      queue.length = 0
      await carrier.close()
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

function directCarrier(path: string, calls: UnixSocketCalls, onTrouble: (text: string) => void): Carrier {
  let socket = -1
  return {
    send(line) {
      if (socket === -1) socket = calls.connect(path)
      if (socket === -1) {
        onTrouble(`cannot connect to ${path}`)
        return 'later'
      }
      const sent = calls.send(socket, line)
      if (sent === 'sent') return 'sent'
      if (sent === 'gone') {
        // The syslog daemon was restarted, and its socket is another one now.
        calls.close(socket)
        socket = calls.connect(path)
        if (socket !== -1 && calls.send(socket, line) === 'sent') return 'sent'
      }
      onTrouble(`${path} takes no lines at the moment`)
      return 'later'
    },
    async close() {
      if (socket !== -1) calls.close(socket)
    },
  }
}

/** One `logger` that reads lines from its standard input; their leading `<PRI>tag[pid]: ` is split off again. */
function loggerCarrier(path: string, { tag, onTrouble }: UnixDatagramOptions): Carrier {
  let child: ReturnType<typeof spawn> | null = null
  let full = false

  function start(): ReturnType<typeof spawn> {
    const id = `--id=${process.pid}`
    const started = spawn('logger', ['--socket', path, '--tag', tag, id, '--prio-prefix', '--socket-errors=on'], {
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    const gone = (text: string) => {
      if (child === started) child = null
      full = false
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
      if (full) return 'later'
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

async function isSocket(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isSocket(),
    () => false,
  )
}
