// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { inMountNamespace } from './privileges.ts'

/** What tests need besides Node.js: programs by name, and what the kernel must let us do. */
export type Peer =
  | 'baresip'
  /** A C compiler, and what a C program is linked with. */
  | 'cc'
  /** The library that stands between a program and the clocks. */
  | 'faketime'
  /** A Node.js of the oldest series that package.json allows. */
  | 'node24'
  | 'openssl'
  | 'python3'
  | 'rsyslogd'
  | 'sipp'
  | 'sipsak'
  | 'sqlite3'
  | 'svcrack'
  | 'svmap'
  | 'svwar'
  /** And what else systemd brings: systemd-notify, libseccomp. */
  | 'systemd-analyze'
  /** With leave to capture on the loopback interface. */
  | 'tshark'
  /** Mounts and networks of one's own: root, or user namespaces. */
  | 'namespaces'

/**
 * A test against other people's programs. Where one is missing it is skipped and says what installs it, but in CI it
 * fails: there nothing is left out silently.
 */
export function testWith(peers: readonly Peer[], name: string, body: (t: TestContext) => Promise<void>): void {
  const missing = peers.filter((peer) => !isThere(peer))
  if (missing.length === 0) return void test(name, body)
  const message = `${missing.map(adviceFor).join('; ')}`
  if (process.env['CI']) void test(name, () => assert.fail(message))
  else void test(name, { skip: message }, body)
}

function adviceFor(peer: Peer): string {
  if (peer === 'namespaces') return 'namespaces are forbidden here: run as root, or allow user namespaces'
  if (peer === 'tshark' && pathOf('dumpcap') !== null) {
    return 'tshark may not capture here: run as root, or give dumpcap the capabilities (dpkg-reconfigure wireshark-common)'
  }
  return `${peer} is missing: run test/install-peers.sh${peer === 'node24' ? '' : ' as root'}`
}

/** Where test/install-peers.sh puts it. */
export const NODE_24 = join(
  import.meta.dirname,
  '../node_modules/.cache/sentrypeer-test/node24/node_modules',
  `node-${process.platform}-${process.arch}`,
  'bin/node',
)

/** libfaketime for programs of several threads, where Debian and Ubuntu have it for this architecture. */
export const FAKETIME = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketimeMT.so.1`

function isThere(peer: Peer): boolean {
  if (peer === 'faketime') return existsSync(FAKETIME)
  if (peer === 'node24') return existsSync(NODE_24)
  if (peer === 'tshark') return pathOf('tshark') !== null && mayCapture()
  if (peer !== 'namespaces') return pathOf(peer) !== null
  const [program = '', ...args] = inMountNamespace(['unshare', '--net', 'true'])
  return spawnSync(program, args).status === 0
}

/** Asking for the link types of an interface opens it. */
function mayCapture(): boolean {
  const dumpcap = pathOf('dumpcap')
  return dumpcap !== null && spawnSync(dumpcap, ['-i', 'lo', '-L']).status === 0
}

/** Where a program is; daemons are in folders that a user's PATH may lack. */
export function pathOf(program: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
  for (const folder of folders) {
    const path = join(folder, program)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // the next folder
    }
  }
  return null
}
