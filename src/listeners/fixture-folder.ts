// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** For tests: a folder that goes with them. */
export async function fixtureFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sentrypeer-listeners-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}
