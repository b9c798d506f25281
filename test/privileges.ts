// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'
import { start } from './run.ts'
import { waitFor } from './wait-for.ts'

// What a user may not do is tested as root too: root without capabilities obeys file modes like anybody else.

const isRoot = process.getuid?.() === 0

const WITHOUT_CAPABILITIES = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs']

/** The same, but for ports below 1024. */
export const NET_BIND_SERVICE_ONLY = [
  'setpriv',
  '--bounding-set=-all,+net_bind_service',
  '--inh-caps=-all,+net_bind_service',
  '--ambient-caps=-all,+net_bind_service',
  '--no-new-privs',
]

/** `command` without any privilege: file modes hold for it. */
export function unprivileged(command: readonly string[]): string[] {
  return isRoot ? [...WITHOUT_CAPABILITIES, ...command] : [...command]
}

/** `command` with mounts of its own. Who is not root becomes root of a user namespace. */
export function inMountNamespace(command: readonly string[]): string[] {
  return ['unshare', ...(isRoot ? [] : ['--map-root-user']), '--mount', ...command]
}

/** The same in a network of its own, where nobody has lowered the first port that is free for all. */
export function unprivilegedInNetwork(command: readonly string[], without = WITHOUT_CAPABILITIES): string[] {
  const inNetwork = ['unshare', ...(isRoot ? [] : ['--map-root-user']), '--net']
  const script = 'ip link set lo up && exec "$@"'
  return [...inNetwork, 'sh', '-c', script, 'sh', ...without, ...command]
}

/** Mounts that only the processes see that are started in it; gone when the test ends. */
export interface MountNamespace {
  /** `command` inside, in the folder `cwd`. */
  enter(command: readonly string[], cwd: string): string[]
  /** How a path inside is called from outside. */
  outside(path: string): string
}

/** Makes a mount namespace and runs the shell `script` in it, with `arguments_` as `$1`, `$2` …; it may mount. */
export async function createMountNamespace(
  t: TestContext,
  script: string,
  ...arguments_: readonly string[]
): Promise<MountNamespace> {
  // The shell stays, and with it the namespace, until its standard input closes.
  const command = inMountNamespace(['sh', '-ec', `${script}\necho made\nread -r _ || :`, 'sh', ...arguments_])
  const { child, pid, ended, stdout, stderr } = await start(command)
  atEnd(t, async () => {
    child.stdin?.end()
    await ended
  })
  await waitFor('a mount namespace', () => stdout().includes('made') || child.exitCode !== null, { state: stderr })
  if (child.exitCode !== null) throw new Error(`cannot make a mount namespace: ${stderr()}`)
  const user = isRoot ? [] : ['--user', '--preserve-credentials']
  return {
    enter: (inner, cwd) => [
      'nsenter',
      `--target=${pid}`,
      ...user,
      '--mount',
      'sh',
      '-c',
      'cd "$0" && exec "$@"',
      cwd,
      ...inner,
    ],
    outside: (path) => `/proc/${pid}/root${path}`,
  }
}
