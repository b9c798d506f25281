// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { freePort } from './free-ports.ts'
import { type Ended, run } from './run.ts'

/** Runs svmap, svwar or svcrack against a port of `host`, from a port of its own. */
export async function sipvicious(
  program: 'svmap' | 'svwar' | 'svcrack',
  host: string,
  port: number,
  flags: readonly string[] = [],
): Promise<Ended> {
  const family = host.includes(':') ? ['-6'] : []
  return run([program, ...family, `-P${await freePort(host)}`, `-p${port}`, ...flags, host])
}
