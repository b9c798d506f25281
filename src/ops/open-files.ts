// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { readFile } from 'node:fs/promises'

/** How many there may be of what costs open files, each kind at its most at the same time. */
export interface FileShares {
  /** SIP over TCP and TLS. */
  readonly sipConnections: number
  readonly apiConnections: number
  /** Of the API, being made at a time. */
  readonly lists: number
  /** With audio. */
  readonly calls: number
}

/** With files in plenty. */
export const MOST: FileShares = {
  sipConnections: 2_000, // chosen: low enough that hostile ones are no burden
  apiConnections: 512, // chosen: above any number of PBXs that ask one node
  lists: 32, // chosen: each holds a snapshot of the database
  calls: 32, // chosen: 32 × 50 × 172 bytes are 275 kB a second
}

/** However few files there are: then the spare ones have to do. */
const LEAST: FileShares = { sipConnections: 1, apiConnections: 4, lists: 1, calls: 1 }

const FILES_AT_REST = 39 // measured with the API and all sinks, sockets that listen not counted
const SPARE_FILES = 9 // chosen: what comes and goes, such as a log that is opened again, names that are looked up
const FILES_OF_LIST_THREAD = 8 // measured: 7
const FILES_OF_LIST = 3 // measured: the database, its log, and what a whole list is sorted in

// Chosen: parts of what a node at rest leaves where that is not enough for all. The rest is for SIP, a half and more.
const PART_OF_API = 1 / 4
const PART_OF_LISTS = 1 / 8
const PART_OF_CALLS = 1 / 16

/**
 * Divides the files that the process may open, so that no part of the node can take those of another, whoever floods
 * which. `openFiles` null: no limit is known. `sockets`: how many listen.
 */
export function shareOpenFiles(
  openFiles: number | null,
  { sockets, hasApi }: { readonly sockets: number; readonly hasApi: boolean },
): FileShares {
  if (openFiles === null) return MOST
  const atRest = FILES_AT_REST + SPARE_FILES + sockets + (hasApi ? FILES_OF_LIST_THREAD : 0)
  const left = Math.max(0, openFiles - atRest)
  const share = (kind: keyof FileShares, files: number) =>
    Math.max(LEAST[kind], Math.min(MOST[kind], Math.floor(files)))
  const calls = share('calls', left * PART_OF_CALLS)
  const lists = share('lists', (left * PART_OF_LISTS) / FILES_OF_LIST)
  const apiConnections = share('apiConnections', left * PART_OF_API)
  const forOthers = calls + (hasApi ? FILES_OF_LIST * lists + apiConnections : 0)
  return { calls, lists, apiConnections, sipConnections: share('sipConnections', left - forOthers) }
}

/** How many files this process may have open, from /proc/self/limits (proc(5)); null where that is not known. */
export async function openFilesLimit(): Promise<number | null> {
  const table = await readFile('/proc/self/limits', 'latin1').catch(() => '')
  const soft = /^Max open files +(\d+) /m.exec(table)?.[1]
  return soft === undefined ? null : Number(soft)
}
