// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { cpSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import manifest from '../package.json' with { type: 'json' }
import { buildBundle } from '../packaging/build.ts'

const ROOT = join(import.meta.dirname, '..')

export interface Package {
  /** The command that starts it. */
  readonly program: readonly string[]
  readonly bytes: number
}

/** Puts the files of the published package into `folder`, built from the sources as they are. */
export async function stagePackage(folder: string): Promise<Package> {
  for (const name of ['package.json', 'README.md', ...manifest.files]) {
    if (name !== 'dist') cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  }
  await buildBundle(join(folder, 'dist'))
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return {
    program: [process.execPath, join(folder, 'bin/sentrypeer')],
    bytes: files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0),
  }
}
