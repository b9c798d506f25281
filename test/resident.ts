// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import type { DaemonProcess } from './daemon-process.ts'

/** Memory of a daemon in KiB: what is resident now, and the most that ever was (VmRSS and VmHWM, proc(5)). */
export async function residentKib(daemon: DaemonProcess): Promise<{ readonly now: number; readonly most: number }> {
  const status = await readFile(`/proc/${daemon.pid}/status`, 'latin1')
  const of = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? assert.fail(status))
  return { now: of('VmRSS'), most: of('VmHWM') }
}
