// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { createMountNamespace, type MountNamespace } from './privileges.ts'
import { run } from './run.ts'

export interface SmallDisk extends MountNamespace {
  enlarge(bytes: number): Promise<void>
}

/** Puts a disk of that size over `folder`, for the programs that enter; `files` are copied onto it first. */
export async function smallDisk(
  t: TestContext,
  folder: string,
  bytes: number,
  files: readonly string[] = [],
): Promise<SmallDisk> {
  const script = 'mount -t tmpfs -o "size=$2,mode=700" small "$1"; to=$1; shift 2; for file; do cp "$file" "$to"; done'
  const namespace = await createMountNamespace(t, script, folder, String(bytes), ...files)
  return {
    ...namespace,
    async enlarge(moreBytes) {
      // Without what mount would add from the mount table: in a user namespace the kernel refuses that.
      const remount = ['mount', '--options-mode', 'ignore', '-o', `remount,size=${moreBytes}`, folder]
      const { code, stderr } = await run(namespace.enter(remount, folder))
      assert.equal(code, 0, stderr)
    },
  }
}
