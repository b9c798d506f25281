// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { freePort } from '../free-ports.ts'
import { pathOf } from '../peers.ts'
import { type Ended, run } from '../run.ts'
import { sipvicious } from '../sipvicious.ts'
import { openRelay } from './relay.ts'
import { type Actor, pause, type Stage } from './stage.ts'

const PAUSE_MS = 3_000
const WITHIN_MS = 30_000
const SIPP_CALLS = 20

interface Tool {
  readonly program: 'svmap' | 'svwar' | 'svcrack' | 'sipsak' | 'sipp'
  readonly scan: (port: number) => Promise<Ended>
  /** What it says, or how it ends, when it got what it wanted. */
  readonly succeeded: (ended: Ended) => boolean
}

const HOST = '127.0.0.1'
const SIPP_FLAGS = ['-m', String(SIPP_CALLS), '-r', '10', '-d', '50', '-timeout', '20', '-timeout_error', '-nostdin']

const TOOLS: readonly Tool[] = [
  {
    program: 'svmap',
    scan: (port) => sipvicious('svmap', HOST, port),
    succeeded: ({ stdout, stderr }) => /^\| 127\.0\.0\.1:\d+ /m.test(stdout + stderr),
  },
  {
    program: 'svwar',
    scan: (port) => sipvicious('svwar', HOST, port, ['-e100-120']),
    succeeded: ({ stdout, stderr }) => /\| 100 +\| reqauth/.test(stdout + stderr),
  },
  {
    program: 'svcrack',
    scan: (port) => sipvicious('svcrack', HOST, port, ['-u100', '-r1225-1240']),
    succeeded: ({ stdout, stderr }) => /\| 100 +\| 12\d\d/.test(stdout + stderr),
  },
  {
    program: 'sipsak',
    scan: (port) => run(['sipsak', '-v', '-s', `sip:100@${HOST}:${port}`], { withinMs: WITHIN_MS }),
    succeeded: ({ code }) => code === 0,
  },
  {
    program: 'sipp',
    scan: async (port) => {
      const from = ['-i', HOST, '-p', String(await freePort(HOST))]
      return run(['sipp', '-sn', 'uac', `${HOST}:${port}`, ...from, ...SIPP_FLAGS], { withinMs: WITHIN_MS })
    },
    succeeded: ({ code }) => code === 0,
  },
]

/** Other people's tools, one after the other, each through a relay of its own; what they made of us is in the report. */
export const scanners: Actor = async (stage) => {
  const tools = TOOLS.filter(({ program }) => isThere(stage, program))
  for (let turn = 0; tools.length > 0; turn++) {
    const tool = tools[turn % tools.length]
    if (tool === undefined || !(await pause(stage, turn === 0 ? 1 : PAUSE_MS))) return
    const relay = await openRelay(stage, `127.40.${(turn >> 7) & 127}.${1 + (turn & 127)}`)
    const ended = await tool.scan(relay.port)
    await relay.close()
    stage.note(`${tool.program} runs`)
    if (tool.succeeded(ended)) stage.note(`${tool.program} runs with success`)
  }
}

function isThere(stage: Stage, program: string): boolean {
  if (pathOf(program) !== null) return true
  stage.note(`${program} is missing`)
  if (process.env['CI']) stage.complain(`${program} is missing: run test/install-peers.sh as root`)
  return false
}
