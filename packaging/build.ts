// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { bundledPackages, noticesText } from './notices.ts'

const ROOT = join(import.meta.dirname, '..')

// Worker threads are started by file name from beside import.meta.url: every entry lies flat in one folder.
const ENTRIES = ['src/main.ts', 'src/store/sqlite/writer-thread.ts', 'src/api/api-thread.ts', 'src/api/list-thread.ts']

// Packages written for require() get one; the rest of the banner is for whoever finds only this file.
const BANNER = `// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only; THIRD-PARTY-NOTICES.txt names what else is in here
import { createRequire as createRequireOfBundle } from 'node:module'
const require = createRequireOfBundle(import.meta.url)`

/** Writes the bundle and its notices to `outdir`, which is emptied first. Paths of `entries` start at the root. */
export async function buildBundle(outdir: string, entries: readonly string[] = ENTRIES): Promise<void> {
  rmSync(outdir, { recursive: true, force: true })
  const inputs = (await Promise.all(entries.map((path) => bundle(path, outdir)))).flat()
  const packages = bundledPackages(ROOT, [...new Set(inputs)], join(ROOT, 'packaging/licences'))
  writeFileSync(join(outdir, 'THIRD-PARTY-NOTICES.txt'), noticesText(packages))
}

/**
 * One entry and what it reads in later on. Each on its own: together they would share their code in forty small files,
 * and each file takes a third of a millisecond at every start. Gives the files that went into it.
 */
async function bundle(entry: string, outdir: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [join(ROOT, entry)],
    outdir,
    entryNames: '[name]',
    chunkNames: 'chunk-[hash]',
    mainFields: ['module', 'main'], // an import() of a package for require() would lack its named exports
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    banner: { js: BANNER },
    legalComments: 'none', // the whole texts are in the notices
    metafile: true,
    logLevel: 'warning',
  })
  return Object.keys(metafile.inputs)
}

if (import.meta.main) await buildBundle(join(ROOT, 'dist'))
