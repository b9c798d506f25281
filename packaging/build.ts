// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { bundledPackages, noticesText } from './notices.ts'

const ROOT = join(import.meta.dirname, '..')

const ABSENT = 'left-out' // the namespace of what is not there

// Worker threads are started by file name from beside import.meta.url: every entry lies flat in one folder.
const ENTRIES = ['src/main.ts', 'src/store/sqlite/writer-thread.ts', 'src/api/api-thread.ts', 'src/api/list-thread.ts']

// Fastify asks for these when it makes compilers of schemas, injects requests or has a logger, and we have it do neither:
// our own compilers are given to it (src/api/http-server.ts). They are 0.9 MB of 1.7, and the text of a module is kept
// in memory. What asks for one all the same is told so; src/api's tests run with them, packaging/build.test.ts without.
const LEFT_OUT = ['@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler', 'light-my-request', 'pino']

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
    plugins: [leaveOut(LEFT_OUT)],
    legalComments: 'none', // the whole texts are in the notices
    metafile: true,
    logLevel: 'warning',
  })
  return Object.keys(metafile.inputs).filter((input) => !input.startsWith(`${ABSENT}:`))
}

function leaveOut(names: readonly string[]): Plugin {
  return {
    name: ABSENT,
    setup({ onResolve, onLoad }) {
      const filter = new RegExp(`^(?:${names.join('|')})$`) // names of packages have no special characters but /
      onResolve({ filter }, ({ path }) => ({ path, namespace: ABSENT }))
      onLoad({ filter: /^/, namespace: ABSENT }, ({ path }) => ({
        contents: `throw new Error('${path} is left out of the bundle, see packaging/build.ts')`,
      }))
    },
  }
}

if (import.meta.main) await buildBundle(join(ROOT, 'dist'))
