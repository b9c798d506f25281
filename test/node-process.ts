// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type DaemonOptions, launchDaemon } from './daemon-process.ts'
import type { Ended } from './run.ts'
import { waitFor } from './wait-for.ts'

const START_MS = 30_000

export interface Ports {
  readonly udp: number
  readonly tcp: number
  /** NaN without TLS. */
  readonly tls: number
  readonly http: number
}

/** A daemon with its API, outside of any test: whoever started it sees to its end. */
export interface NodeProcess {
  readonly pid: number
  readonly ports: Ports
  isOver(): boolean
  stderr(): string
  /** Whether it said that something of ours has failed. */
  spokeOfBug(): boolean
  signal(signal: NodeJS.Signals): void
  /** Its metrics, by the name without `sentrypeer_`; `labels` keeps those of one family apart, or they are added up. */
  metrics(labels?: 'labels'): Promise<Map<string, number>>
  /** Megabytes that it has in memory; 0 when it is gone. */
  residentMib(): number
  /** SIGTERM, and SIGKILL when that is of no use for so long; how it ended, and how long it took. */
  stop(killAfterMs: number): Promise<Ended & { readonly stopMs: number }>
}

/** Resolves when it listens on all of what it was told to. */
export async function startNodeProcess(options: DaemonOptions & { readonly folder: string }): Promise<NodeProcess> {
  const { child, pid, ended, stderr } = await launchDaemon({ api: '127.0.0.1:0', ...options })
  const isOver = () => child.exitCode !== null || child.signalCode !== null
  const port = (what: string) =>
    Number(new RegExp(`^Listening for incoming ${what} connections\\.\\.\\. \\S+:(\\d+)`, 'm').exec(stderr())?.[1])
  const wanted = ['UDP', 'TCP', 'HTTP', ...(options.tls === undefined ? [] : ['TLS'])]
  const isListening = () => wanted.every((what) => port(what) > 0)
  await waitFor('the node to listen', () => isOver() || isListening(), { withinMs: START_MS, state: stderr })
  assert.ok(!isOver(), stderr())
  const ports = { udp: port('UDP'), tcp: port('TCP'), tls: port('TLS'), http: port('HTTP') }
  return {
    pid,
    ports,
    isOver,
    stderr,
    spokeOfBug: () => /this is a bug|made the program fail/.test(stderr()),
    signal: (signal) => void child.kill(signal),
    async metrics(labels) {
      const answer = await fetch(`http://127.0.0.1:${ports.http}/metrics`, { signal: AbortSignal.timeout(START_MS) })
      const counts = new Map<string, number>()
      for (const [, family = '', label = '', value] of (await answer.text()).matchAll(
        /^sentrypeer_(\w+)(\{.*\})? (\S+)$/gm,
      )) {
        const name = labels === undefined ? family : family + label
        counts.set(name, (counts.get(name) ?? 0) + Number(value))
      }
      return counts
    },
    residentMib() {
      const status = isOver() ? '' : readFileSync(`/proc/${pid}/status`, 'latin1')
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024
    },
    async stop(killAfterMs) {
      const askedMs = performance.now()
      const killer = setTimeout(() => child.kill('SIGKILL'), killAfterMs)
      child.kill('SIGTERM')
      const end = await ended
      clearTimeout(killer)
      return { ...end, stopMs: performance.now() - askedMs }
    },
  }
}
