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
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')

const source = join(__dirname, '..', 'src', 'main.ts')
const bundle = join(__dirname, '..', 'dist', 'main.js')

import(pathToFileURL(existsSync(source) ? source : bundle).href).catch((error) => {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
  const advice = existsSync(source) ? 'Run "npm ci" in the clone.' : 'Install the package again.'
  console.error(`sentrypeer: something is not installed: ${error.message.split('\n', 1)[0]}. ${advice}`)
  process.exitCode = 1
})
