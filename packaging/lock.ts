// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// npm run lock, after every change of a dependency: takes the `node` commands of the pinned runtimes out of the lock
// file. npm 10 removes what a package for another platform would have linked, and all four would link the same name;
// packages/runtime/node.sh is the command instead.

import { readFileSync, writeFileSync } from 'node:fs'

const root = new URL('../', import.meta.url)
const { optionalDependencies } = JSON.parse(readFileSync(new URL('packages/runtime/package.json', root), 'utf8'))
const file = new URL('package-lock.json', root)
const lock = JSON.parse(readFileSync(file, 'utf8'))
for (const name of Object.keys(optionalDependencies)) delete lock.packages[`node_modules/${name}`].bin
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
