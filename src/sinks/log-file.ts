// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { errorCode, OperatorError, reason } from '../ops/errors.ts'

const FILE_MODE = 0o640
// Not blocking, for pipes: to open one that nobody reads, or to write into a full one, would hang a thread for ever.
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK
const RETRY_MS = 1_000
const BUSY_RETRY_MS = 5
const BUSY_IS_TROUBLE_MS = 1_000 // a pipe that is full for a moment is nothing to tell of
const CLOSE_WITHIN_MS = 500
const MAX_WAITING_BYTES = 16 * 1024 * 1024 // chosen: a few minutes of a full disk

/** A file that whole lines are appended to, and that others may rename or remove at any time. */
export interface LogFile {
  /** Appends `lines` lines of text, in order. Resolves when they are written, kept for later, or counted as dropped. */
  append(text: string, lines: number): Promise<void>
  /** Opens the path anew, as a log rotation asks for with SIGHUP. */
  reopen(): Promise<void>
  /** Lines that are whole in the file. */
  writtenLines(): number
  /** Lines that wait in memory, a half written one too. */
  waitingLines(): number
  droppedLines(): number
  /** What keeps lines from being written now; null when nothing does. */
  trouble(): string | null
  /** Tries once more, for half a second if a pipe is full, tells of what is left, and lets go. */
  close(): Promise<void>
}

export interface LogFileEvents {
  readonly onTrouble: (text: string) => void
  readonly onRecovered: () => void
  /** Called at most once, when closing: so many lines were still waiting and are lost. */
  readonly onLost: (lines: number) => void
}

/** What is left to write of one `append`. */
interface Chunk {
  bytes: Buffer
  lines: number
}

/**
 * Opens (or makes) the file at `path`. A rotation is noticed before each write by the inode, so nobody has to send a
 * signal. When the disk is full, lines wait in bounded memory and a line that was cut is finished first: a reader
 * never sees a torn one. A pipe works as well, while it has a reader. Throws OperatorError LOG_NOT_WRITABLE when it cannot
 * be opened at first.
 */
export async function openLogFile(path: string, { onTrouble, onRecovered, onLost }: LogFileEvents): Promise<LogFile> {
  let file: FileHandle | null = await openForAppend(path).catch((cause) => {
    throw new OperatorError(
      'LOG_NOT_WRITABLE',
      `cannot write ${path}: ${reason(cause)}`,
      errorCode(cause) === 'ENXIO'
        ? 'Start the program that reads this pipe first, or name a file with -l; a socket cannot be written to.'
        : 'Check that the folder exists and that this user may write there, or name another file with -l.',
      cause,
    )
  })
  // Whoever wrote last may have been stopped in the middle of a line, which must not swallow our first one.
  let waiting: Chunk[] = (await endsWithinLine(path)) ? [{ bytes: Buffer.from('\n'), lines: 0 }] : []
  let waitingBytes = waiting.length
  let cut: Chunk | null = null // the rest of a line that is half in the file
  let written = 0
  let dropped = 0
  let trouble: string | null = null
  let busySinceMs: number | null = null
  let retry: NodeJS.Timeout | null = null
  let closing = false
  let turn: Promise<void> = Promise.resolve()

  /** One after the other: appends, retries and reopenings never overlap. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    turn = turn.then(work)
    return turn
  }

  const tell = (text: string): void => {
    trouble = text
    onTrouble(text)
  }

  const waitingLines = (): number => waiting.reduce((sum, { lines }) => sum + lines, cut?.lines ?? 0)

  async function drain(): Promise<void> {
    if (closing) return // a retry that came due meanwhile; close() itself writes what it can
    const outcome = await writeWaiting()
    if (outcome === 'written') return
    retry ??= setTimeout(
      () => {
        retry = null
        void inTurn(drain) // never rejects
      },
      outcome === 'busy' ? BUSY_RETRY_MS : RETRY_MS,
    )
  }

  async function writeWaiting(): Promise<'written' | 'busy' | 'failed'> {
    try {
      if (cut === null) file = await current(file, path)
      while (cut !== null || waiting.length > 0) {
        const chunk: Chunk | undefined = cut ?? waiting.shift()
        if (chunk === undefined || file === null) break
        if (cut === null) waitingBytes -= chunk.bytes.length
        cut = chunk
        while (chunk.bytes.length > 0) {
          const { bytesWritten } = await file.write(chunk.bytes)
          const lines = Math.min(chunk.lines, lineEnds(chunk.bytes.subarray(0, bytesWritten)))
          written += lines
          chunk.lines -= lines
          chunk.bytes = chunk.bytes.subarray(bytesWritten)
          busySinceMs = null
        }
        cut = null
      }
      if (trouble !== null) onRecovered()
      trouble = null
      return 'written'
    } catch (error) {
      const text = `cannot write ${path}, lines wait in memory: ${reason(error)}`
      if (errorCode(error) !== 'EAGAIN') {
        tell(text)
        return 'failed'
      }
      busySinceMs ??= performance.now()
      if (trouble === null && performance.now() - busySinceMs >= BUSY_IS_TROUBLE_MS) tell(text)
      return 'busy'
    }
  }

  return {
    append(text, lines) {
      const bytes = Buffer.from(text)
      if (waitingBytes + bytes.length > MAX_WAITING_BYTES) {
        dropped += lines
        tell(`${path} has taken no lines for too long, new ones are dropped`)
        return Promise.resolve()
      }
      waiting.push({ bytes, lines })
      waitingBytes += bytes.length
      return inTurn(drain)
    },
    reopen: () =>
      inTurn(async () => {
        await drain()
        if (cut !== null) return // its rest belongs into this file; the next line finds a new one by its inode
        const old = file
        file = await openForAppend(path).catch(() => null) // the drain below tries again, and tells why it cannot
        await old?.close().catch((error) => onTrouble(reason(error))) // not earlier, or who reads a pipe sees its end
        await drain()
      }),
    writtenLines: () => written,
    waitingLines,
    droppedLines: () => dropped,
    trouble: () => trouble,
    close() {
      closing = true
      if (retry !== null) clearTimeout(retry)
      return inTurn(async () => {
        const deadlineMs = performance.now() + CLOSE_WITHIN_MS
        while ((await writeWaiting()) === 'busy' && performance.now() < deadlineMs) await delay(BUSY_RETRY_MS)
        const lost = waitingLines()
        cut = null
        waiting = []
        dropped += lost
        if (lost > 0) onLost(lost)
        await file?.close()
      })
    },
  }
}

function lineEnds(bytes: Buffer): number {
  let ends = 0
  for (let at = bytes.indexOf(0x0a); at !== -1; at = bytes.indexOf(0x0a, at + 1)) ends++
  return ends
}

/** The open file if `path` still names it, else the file that `path` names now. */
async function current(file: FileHandle | null, path: string): Promise<FileHandle> {
  if (file === null) return openForAppend(path)
  const [open, named] = await Promise.all([file.stat(), stat(path).catch(() => null)])
  if (named !== null && named.ino === open.ino && named.dev === open.dev) return file
  const fresh = await openForAppend(path)
  await file.close()
  return fresh
}

async function endsWithinLine(path: string): Promise<boolean> {
  const entry = await stat(path)
  if (!entry.isFile() || entry.size === 0) return false
  const file = await open(path, 'r').catch(() => null) // we may be allowed to append only
  const last = await file?.read(Buffer.alloc(1), 0, 1, entry.size - 1)
  await file?.close()
  return last?.bytesRead === 1 && last.buffer[0] !== 0x0a
}

function openForAppend(path: string): Promise<FileHandle> {
  return open(path, APPEND, FILE_MODE)
}
