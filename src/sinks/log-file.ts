// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type FileHandle, open, stat } from 'node:fs/promises'
import { OperatorError, reason } from '../ops/errors.ts'

const FILE_MODE = 0o640
const RETRY_MS = 1_000
const MAX_WAITING_BYTES = 16 * 1024 * 1024 // chosen: a few minutes of a full disk

/** A file that whole lines are appended to, and that others may rename or remove at any time. */
export interface LogFile {
  /** Appends `lines` lines of text, in order. Resolves when they are written, kept for later, or counted as dropped. */
  append(text: string, lines: number): Promise<void>
  /** Opens the path anew, as a log rotation asks for with SIGHUP. */
  reopen(): Promise<void>
  droppedLines(): number
  close(): Promise<void>
}

export interface LogFileEvents {
  readonly onTrouble: (text: string) => void
  readonly onRecovered: () => void
}

interface Chunk {
  bytes: Buffer
  readonly lines: number
}

/**
 * Opens (or makes) the file at `path`. A rotation is noticed before each write by the inode, so nobody has to send a
 * signal. When the disk is full, lines wait in bounded memory and a line that was cut is finished first: a reader
 * never sees a torn one. Throws OperatorError LOG_NOT_WRITABLE when it cannot be opened at first.
 */
export async function openLogFile(path: string, { onTrouble, onRecovered }: LogFileEvents): Promise<LogFile> {
  let file: FileHandle | null = await openForAppend(path).catch((cause) => {
    throw new OperatorError(
      'LOG_NOT_WRITABLE',
      `cannot write ${path}: ${reason(cause)}`,
      'Check that the folder exists and that this user may write there, or name another file with -l.',
      cause,
    )
  })
  // Whoever wrote last may have been stopped in the middle of a line, which must not swallow our first one.
  let waiting: Chunk[] = (await endsWithinLine(path)) ? [{ bytes: Buffer.from('\n'), lines: 0 }] : []
  let waitingBytes = waiting.length
  let cut: Chunk | null = null // the rest of a line that is half in the file
  let dropped = 0
  let failing = false
  let retry: NodeJS.Timeout | null = null
  let turn: Promise<void> = Promise.resolve()

  /** One after the other: appends, retries and reopenings never overlap. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    turn = turn.then(work)
    return turn
  }

  async function drain(): Promise<void> {
    try {
      if (cut === null) file = await current(file, path)
      while (cut !== null || waiting.length > 0) {
        const chunk: Chunk | undefined = cut ?? waiting.shift()
        if (chunk === undefined || file === null) return
        if (cut === null) waitingBytes -= chunk.bytes.length
        cut = chunk
        while (chunk.bytes.length > 0) {
          const { bytesWritten } = await file.write(chunk.bytes)
          chunk.bytes = chunk.bytes.subarray(bytesWritten)
        }
        cut = null
      }
      if (failing) onRecovered()
      failing = false
    } catch (error) {
      failing = true
      onTrouble(`cannot write ${path}, lines wait in memory: ${reason(error)}`)
      retry ??= setTimeout(() => {
        retry = null
        void inTurn(drain) // never rejects
      }, RETRY_MS)
    }
  }

  return {
    append(text, lines) {
      const bytes = Buffer.from(text)
      if (waitingBytes + bytes.length > MAX_WAITING_BYTES) {
        dropped += lines
        onTrouble(`${path} has taken no lines for too long, new ones are dropped`)
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
        await file?.close().catch((error) => onTrouble(reason(error)))
        file = null
        await drain()
      }),
    droppedLines: () => dropped,
    async close() {
      if (retry !== null) clearTimeout(retry)
      await inTurn(drain)
      if (retry !== null) clearTimeout(retry)
      for (const { lines } of waiting) dropped += lines
      waiting = []
      await file?.close()
    },
  }
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
  return open(path, 'a', FILE_MODE)
}
