// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { cp, mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { buildBundle } from '../packaging/build.ts'

const ROOT = join(import.meta.dirname, '..')
export const UNIT = join(ROOT, 'packaging/systemd/sentrypeer.service')
export const NODE_24_DROP_IN = join(ROOT, 'packaging/systemd/node-24.conf')

/** Every value of a setting, in the order of the file; what continues on the next line is one value. */
export async function settingsOf(file: string, name: string): Promise<string[]> {
  const text = (await readFile(file, 'utf8')).replaceAll('\\\n', ' ')
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}=`))
  return lines.map((line) => line.slice(name.length + 1))
}

/** The flags that a unit or a drop-in gives Node.js, with the places of the installed service moved to others. */
export async function nodeOptionsOf(file: string, moved: ReadonlyMap<string, string>): Promise<string> {
  const environment = await settingsOf(file, 'Environment')
  const options = environment
    .map((value) => /^"NODE_OPTIONS=(.*)"$/.exec(value)?.[1])
    .find((value) => value !== undefined)
  if (options === undefined) throw new Error(`${file} sets no NODE_OPTIONS`)
  return options
    .split(/\s+/)
    .map((flag) => [...moved].reduce((text, [from, to]) => text.replace(`=${from}`, `=${to}`), flag))
    .join(' ')
}

/** The program as `npm install -g` lays it out under `prefix`. */
export async function installBundle(prefix: string): Promise<void> {
  const place = join(prefix, 'lib/node_modules/sentrypeer')
  await buildBundle(join(place, 'dist'))
  await cp(join(ROOT, 'bin'), join(place, 'bin'), { recursive: true })
  await cp(join(ROOT, 'package.json'), join(place, 'package.json'))
  await mkdir(join(prefix, 'bin'))
  await symlink('../lib/node_modules/sentrypeer/bin/sentrypeer', join(prefix, 'bin/sentrypeer'))
}

/**
 * A Python program that runs its arguments under a filter of system calls, as systemd makes one of the groups that are
 * allowed and the groups taken from those: what is refused fails with EPERM. It uses systemd's own library for that.
 */
export const UNDER_FILTER = `
import ctypes, os, subprocess, sys
def calls(group):
    shown = subprocess.run(['systemd-analyze', '--no-pager', 'syscall-filter', group], capture_output=True, text=True, check=True)
    found = set()
    for line in shown.stdout.splitlines()[1:]:
        word = line.split('#')[0].strip()
        found |= calls(word) if word.startswith('@') else {word} - {''}
    return found
allowed = set().union(*map(calls, sys.argv[1].split())).difference(*map(calls, sys.argv[2].split()))
allowed |= {'execve', 'exit', 'exit_group', 'getrlimit', 'rt_sigreturn', 'sigreturn'} # systemd.exec(5)
library = ctypes.CDLL('libseccomp.so.2')
library.seccomp_init.restype = ctypes.c_void_p
context = ctypes.c_void_p(library.seccomp_init(0x00050001)) # SCMP_ACT_ERRNO(EPERM)
for name in allowed:
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number >= 0 and library.seccomp_rule_add(context, 0x7fff0000, number, 0) != 0: # SCMP_ACT_ALLOW
        sys.exit(f'no rule for {name}')
if library.seccomp_load(context) != 0:
    sys.exit('no filter')
os.execvp(sys.argv[3], sys.argv[3:])
`
