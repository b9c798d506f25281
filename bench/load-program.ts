// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../test/run.ts'

const SOURCES = ['load.c', 'datagrams.c', 'floors.c', 'streams.c']
const FLAGS = ['-std=gnu11', '-O2', '-Wall', '-Wextra']
const BUILD_MS = 60_000

/** The C program for load and floors. */
export interface LoadProgram {
  readonly path: string
  /** Whether SQLite's header and library were there, for the floor that stores. */
  readonly hasSqlite: boolean
}

/** Builds it into `folder` with the machine's own compiler; or says in words why it cannot be had. */
export async function buildLoadProgram(folder: string): Promise<LoadProgram | string> {
  if (process.platform !== 'linux') return 'it needs Linux (sendmmsg, recvmmsg, epoll)'
  mkdirSync(folder, { recursive: true })
  const path = join(folder, 'load')
  // Under a name of its own first: another run may be using the one that is there.
  const fresh = `${path}-${process.pid}`
  const files = SOURCES.map((name) => join(import.meta.dirname, name))
  for (const sqlite of [['-DWITH_SQLITE', '-lsqlite3'], []]) {
    const command = ['cc', ...FLAGS, '-o', fresh, ...files, ...sqlite, '-pthread']
    const built = await run(command, { withinMs: BUILD_MS }).catch(() => null)
    if (built === null) return 'there is no C compiler (cc)'
    if (built.code !== 0 && sqlite.length > 0) continue
    if (built.code !== 0) return `the compiler failed: ${built.stderr}`
    renameSync(fresh, path)
    return { path, hasSqlite: sqlite.length > 0 }
  }
  return 'the compiler failed'
}
