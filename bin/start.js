// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// Runs the program in this process: the sources in a clone, the bundle in an installed package. Apart from the
// version check in ./sentrypeer because an old Node.js cannot even read a file with import() in it.

'use strict'

// A stop while the program is still being read in: nothing is open yet, so it ends at once and well. Once the program
// listens for the signal too, the stop is its own.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    if (process.listenerCount(signal) === 1) process.exit(0)
  })
}

const { existsSync } = require('node:fs')
const { totalmem } = require('node:os')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')

const MIB = 1024 * 1024
const MOST_OLD_SPACE_MB = 256 // measured: a flood stays below 300 MB in all with it
const LEAST_OLD_SPACE_MB = 96
const SEMI_SPACE_MB = 8 // measured: with V8's own 32 a flood takes 80 MB more, for 8 % less processor time

// For malloc() of the GNU C library, see mallopt(3), which reads them when a process begins. Measured, with the API: 86 MB
// at rest instead of 88, 149 to 154 MB after a flood instead of 167 to 171, for the same processor time (1.01 of it), since
// what is free at the end of an arena goes back, and there are two arenas and not one for each of a dozen threads.
const MALLOC = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: String(128 * 1024) }

const HEAP_FLAG = /--(?:max|min|initial)[-_](?:heap|(?:old|semi)[-_]space)[-_]size/
const SHORT_RUN = /^(?:-h|--help|-V|--version)$/
const SUBCOMMAND = /^[a-z]/

limitHeap()

const source = join(__dirname, '..', 'src', 'main.ts')
const bundle = join(__dirname, '..', 'dist', 'main.js')

import(pathToFileURL(existsSync(source) ? source : bundle).href).catch((error) => {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
  const advice = existsSync(source) ? 'Run "npm ci" in the clone.' : 'Install the package again.'
  console.error(`sentrypeer: something is not installed: ${error.message.split('\n', 1)[0]}. ${advice}`)
  process.exitCode = 1
})

/**
 * V8 lets a heap grow to half of the memory there is, 4 GB at most, before it looks closely for what it can collect. Its
 * limits are read when a process begins, so this one begins again with ours (execve(2): the same process, 18 ms), and with
 * those of malloc().
 * Not when somebody has set such limits, not for a command that is over at once, and not where it is not permitted.
 */
function limitHeap() {
  const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ')
  const isPermitted = process.permission === undefined || process.permission.has('child')
  if (process.execve === undefined || !isPermitted || HEAP_FLAG.test(given)) return
  if (SUBCOMMAND.test(process.argv[2] ?? '') || process.argv.slice(2).some((text) => SHORT_RUN.test(text))) return
  const limits = [`--max-old-space-size=${oldSpaceMb()}`, `--max-semi-space-size=${SEMI_SPACE_MB}`]
  const args = [process.execPath, ...process.execArgv, ...limits, ...process.argv.slice(1)]
  process.execve(process.execPath, args, { ...MALLOC, ...process.env })
}

/** A quarter of the memory of the machine or the container, within bounds. */
function oldSpaceMb() {
  const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY)
  return Math.floor(Math.min(MOST_OLD_SPACE_MB, Math.max(LEAST_OLD_SPACE_MB, memory / 4 / MIB)))
}
