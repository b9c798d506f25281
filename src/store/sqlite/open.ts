// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { errorCode, OperatorError, reason } from '../../ops/errors.ts'
import {
  CREATE_COUNTS,
  CREATE_HONEY,
  CREATE_TIME_INDEXES,
  CREATE_VIEWS,
  OUR_COLUMNS,
  PAGE_BYTES,
  SCHEMA_VERSION,
} from './schema.ts'
import { inTransaction } from './transaction.ts'
import { upgradeFromC } from './upgrade.ts'
import { addRunTimes, dropIndexesOfOthers, upgradeFrom1 } from './upgrade-from-1.ts'

/** SQLite's primary result codes, https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

const OPEN_BUSY_MS = 10_000
const LOOK_AGAIN_MS = 200 // a process that leaves waits for its threads, which end between two waits: chosen
const BUSY_MS = 1_000 // then the batch is refused and tried again by the publisher: the thread stays responsive
const FILE_MODE = 0o640
const CHECKPOINT_PAGES = 8_000
const KEPT_LOG_BYTES = 64 * 1024 * 1024 // as large as it is before a checkpoint; more goes back to the disk when it begins anew
const WRITER_CACHE_KIB = 16 * 1024 // measured: 8 to 64 MB fold as fast, since what a fold comes back to is little
const MAX_CHECKED_BYTES = 64 * 1024 * 1024 // 40 ms from memory, 2 s from a slow SD card; larger files go unchecked

export interface OpenOptions {
  /** `full` also survives a loss of power, `normal` a crash of the program or the machine's kernel staying up. */
  readonly sync: 'normal' | 'full'
  /** Told what a long step is doing. */
  readonly onProgress: (text: string) => void
}

/**
 * Opens the file for writing; makes it when absent, upgrades one of the C program. Throws an OperatorError that names
 * the file and the fix (DB_NOT_WRITABLE, DB_CORRUPT, DB_FOREIGN, DB_TOO_NEW); then the file is as it was.
 */
export function openForWriting(file: string, { sync, onProgress }: OpenOptions): DatabaseSync {
  let database: DatabaseSync | null = null
  try {
    if (!existsSync(file)) closeSync(openSync(file, 'a', FILE_MODE))
    refuseCutFile(file)
    waitForLock(file)
    database = new DatabaseSync(file, { timeout: OPEN_BUSY_MS })
    prepareFile(database, file, onProgress)
    database.exec(`PRAGMA synchronous = ${sync}; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    database.exec(`PRAGMA journal_size_limit = ${KEPT_LOG_BYTES}`)
    database.exec(`PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA cache_size = -${WRITER_CACHE_KIB}`)
    return database
  } catch (error) {
    database?.close()
    throw asOperatorError(error, file)
  }
}

/** Opens the file for reading only; it must have been opened for writing before. */
export function openForReading(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS })
  database.exec('PRAGMA query_only = 1')
  return database
}

/**
 * What the file keeps under these names: the values of the first start that gave any. Waits for a lock as long as the
 * opening does, which it is a part of. Throws SQLite's error.
 */
export function keepFirst(database: DatabaseSync, values: Readonly<Record<string, string>>): Map<string, string> {
  database.exec(`PRAGMA busy_timeout = ${OPEN_BUSY_MS}`)
  const keep = database.prepare('INSERT INTO sentrypeer VALUES (?, ?) ON CONFLICT DO NOTHING')
  const kept = database.prepare('SELECT value FROM sentrypeer WHERE name = ?')
  const found = new Map(
    Object.entries(values).map(([name, value]) => {
      keep.run(name, value)
      return [name, String(kept.get(name)?.['value'])]
    }),
  )
  database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`)
  return found
}

/**
 * A file that lost its end in the middle of a page is opened by SQLite all the same, and written to. Where the last
 * writer left a journal the end may be in there, and SQLite knows what to do.
 */
function refuseCutFile(file: string): void {
  if (existsSync(`${file}-wal`) || existsSync(`${file}-journal`)) return
  const header = Buffer.alloc(18)
  const opened = openSync(file, 'r')
  const length = readSync(opened, header, 0, header.length, 0)
  closeSync(opened)
  if (length < header.length || !header.toString('latin1').startsWith('SQLite format 3\0')) return // SQLite says so
  const pageBytes = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16) // sqlite.org/fileformat.html §1.3.2
  const { size } = statSync(file)
  if (pageBytes > 0 && size % pageBytes !== 0) throw corrupt(file, `it ends in the middle of a page, at byte ${size}`)
}

/**
 * Waits while another program has a lock, in short pieces, so that a stop need not wait for all of it. On a connection of
 * its own: one that began to write has the page size that it found. Throws SQLite's error when it takes too long.
 */
function waitForLock(file: string): void {
  const untilMs = performance.now() + OPEN_BUSY_MS
  const database = new DatabaseSync(file, { timeout: LOOK_AGAIN_MS })
  try {
    for (;;) {
      try {
        return database.exec('BEGIN IMMEDIATE; ROLLBACK')
      } catch (error) {
        if (sqliteCode(error) !== SQLITE_BUSY) return // who opens it next says what it is
        if (performance.now() >= untilMs) throw error
      }
    }
  } finally {
    database.close()
  }
}

/** What the file's pages say of themselves; a broken one is better found before anything is added to it. */
function refuseBrokenPages(database: DatabaseSync, file: string): void {
  const pages = Number(database.prepare('PRAGMA page_count').get()?.['page_count'])
  const pageBytes = Number(database.prepare('PRAGMA page_size').get()?.['page_size'])
  if (pages * pageBytes > MAX_CHECKED_BYTES) return
  const found = String(database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'])
  if (found !== 'ok') throw corrupt(file, found.replace(/\s+/g, ' '))
}

function prepareFile(database: DatabaseSync, file: string, onProgress: (text: string) => void): void {
  const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
  const tables = tablesOf(database)
  if (version > SCHEMA_VERSION) {
    throw new OperatorError(
      'DB_TOO_NEW',
      `${file} was written by a newer SentryPeer (schema ${version}, this one knows ${SCHEMA_VERSION})`,
      'Install that version or newer, or name another file with -f.',
    )
  }
  if (version === SCHEMA_VERSION && tables.includes('honey') && tables.includes('views')) {
    refuseBrokenPages(database, file)
    setWal(database, file)
    addRunTimes(database)
    return dropIndexesOfOthers(database, file, onProgress)
  }
  if (version === 1 && tables.includes('honey') && tables.includes('bad_actors')) {
    refuseBrokenPages(database, file)
    setWal(database, file)
    return upgradeFrom1(database, file, onProgress)
  }
  if (version === 0 && tables.length === 0)
    return create(database, file) ? undefined : prepareFile(database, file, onProgress)
  if (version === 0 && tables.includes('honey')) {
    refuseBrokenPages(database, file)
    upgradeFromC(database, file, onProgress)
    return setWal(database, file)
  }
  throw new OperatorError(
    'DB_FOREIGN',
    `${file} is a SQLite database, but not one of SentryPeer`,
    'Name another file with -f; this one was not touched.',
  )
}

function tablesOf(database: DatabaseSync) {
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
  return tables.map(({ name }) => name)
}

/** False when another program that began at the same time was first. */
function create(database: DatabaseSync, file: string): boolean {
  database.exec(`PRAGMA page_size = ${PAGE_BYTES}`)
  setWal(database, file)
  return inTransaction(database, () => {
    if (tablesOf(database).length > 0) return false
    database.exec(CREATE_HONEY)
    for (const column of OUR_COLUMNS) database.exec(`ALTER TABLE honey ADD COLUMN ${column}`)
    database.exec(`${CREATE_COUNTS} ${CREATE_TIME_INDEXES} ${CREATE_VIEWS}`)
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
    return true
  })
}

function setWal(database: DatabaseSync, file: string): void {
  const untilMs = performance.now() + OPEN_BUSY_MS
  for (let isSet = false; !isSet; ) {
    try {
      database.exec('PRAGMA journal_mode = WAL')
      isSet = true
    } catch (error) {
      // SQLite does not wait for a lock here where two would wait for each other.
      if (sqliteCode(error) !== SQLITE_BUSY || performance.now() >= untilMs) throw error
      waitForLock(file)
    }
  }
  // Opening succeeds on a file that cannot be written; find out now and not with the first attacker.
  database.exec('BEGIN IMMEDIATE; ROLLBACK')
}

/** What an error at the opening of `file` means to the operator. */
export function asOperatorError(error: unknown, file: string): OperatorError {
  if (error instanceof OperatorError) return error
  const code = sqliteCode(error)
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) return corrupt(file, reason(error), error)
  const hint =
    code === SQLITE_BUSY
      ? 'Another program is writing to it. Stop that one, or name another file with -f.'
      : 'Check that the folder exists, that it has room, and that -f names a file which this user may write.'
  return new OperatorError('DB_NOT_WRITABLE', `cannot open ${file} for writing: ${reason(error)}`, hint, error)
}

function corrupt(file: string, why: string, cause?: unknown): OperatorError {
  return new OperatorError(
    'DB_CORRUPT',
    `${file} is not a sound SQLite database: ${why}`,
    `It was not touched. Save a copy, try "sqlite3 ${file} .recover", or name another file with -f.`,
    cause,
  )
}

/** The primary result code of an error of node:sqlite, or null. */
export function sqliteCode(error: unknown): number | null {
  if (errorCode(error) !== 'ERR_SQLITE_ERROR') return null
  const { errcode } = error as { errcode?: unknown } // node:sqlite puts the extended code there
  return typeof errcode === 'number' ? errcode & 0xff : null
}
