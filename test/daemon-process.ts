// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'
import { type Ended, type Running, run, start } from './run.ts'
import { waitFor } from './wait-for.ts'

const ROOT = join(import.meta.dirname, '..')
const STOP_WITHIN_MS = 5_000 // what the documentation promises
const KILL_AFTER_MS = 8_000

export interface DaemonOptions {
  readonly flags?: readonly string[]
  /** Where it listens; port 0 picks a free one. No TLS and no API unless named. */
  readonly sip?: readonly string[]
  readonly tls?: readonly string[]
  readonly api?: string
  /** Its working directory; a new one otherwise. */
  readonly folder?: string
  readonly env?: Readonly<Record<string, string>>
  /** Puts the command into a namespace, or takes privileges away. */
  readonly enter?: (command: readonly string[], cwd: string) => readonly string[]
  /** In a process group of its own, which a Ctrl-C in the terminal does not reach. */
  readonly detached?: boolean
  /** The program; the sources of this clone unless named. */
  readonly program?: readonly string[]
}

export type Transport = 'UDP' | 'TCP' | 'TLS' | 'HTTP'

export interface DaemonProcess {
  readonly folder: string
  readonly pid: number
  readonly ended: Promise<Ended>
  stderr(): string
  /** The port that it listens on there. */
  port(transport: Transport, host?: string): number
  /** Resolves when stderr has a line that matches. */
  said(line: RegExp, withinMs?: number): Promise<void>
  signal(signal: NodeJS.Signals): void
  /** SIGTERM; asserts that it ends with 0, within five seconds, and never spoke of a bug. */
  stop(): Promise<Ended>
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>
}

/** A temporary folder that goes with the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sentrypeer-test-'))
  atEnd(t, () => rm(folder, { recursive: true, force: true }))
  return folder
}

/**
 * Starts the daemon and waits until it listens everywhere. At the end of the test it is stopped, and that has to be a
 * clean stop unless the test ended it itself.
 */
export async function startDaemon(t: TestContext, options: DaemonOptions = {}): Promise<DaemonProcess> {
  const folder = options.folder ?? (await temporaryFolder(t))
  const { child, pid, ended, stderr } = await launchDaemon({ ...options, folder })
  const isOver = () => child.exitCode !== null || child.signalCode !== null

  const stop = async () => {
    const askedMs = performance.now()
    child.kill('SIGTERM')
    const killer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS)
    const end = await ended
    clearTimeout(killer)
    assert.deepEqual({ code: end.code, signal: end.signal }, { code: 0, signal: null }, end.stderr)
    assert.doesNotMatch(end.stderr, /this is a bug|\(node:\d+\) \w*Warning/)
    const tookMs = performance.now() - askedMs
    assert.ok(tookMs < STOP_WITHIN_MS, `it took ${tookMs} ms to stop`)
    return end
  }
  atEnd(t, async () => {
    if (!isOver()) await stop()
  })

  await waitFor('the daemon to listen', () => isOver() || listening(stderr()).length === expectedListeners(options), {
    withinMs: 20_000,
    state: stderr,
  })
  assert.ok(!isOver(), `the daemon ended with ${child.exitCode}:\n${stderr()}`)
  return {
    folder,
    pid,
    ended,
    stderr,
    port(transport, host = '127.0.0.1') {
      const found = listening(stderr()).find((one) => one.transport === transport && one.host === host)
      return found?.port ?? assert.fail(`not listening for ${transport} on ${host}:\n${stderr()}`)
    },
    async said(line, withinMs = 10_000) {
      await waitFor(String(line), () => line.test(stderr()), { withinMs, state: stderr })
    },
    signal: (signal) => void child.kill(signal),
    stop,
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Starts the daemon and waits for nothing; the caller has to see to its end. */
export function launchDaemon(options: DaemonOptions & { readonly folder: string }): Promise<Running> {
  return start(commandOf(options, options.folder), spawnOptions(options, options.folder))
}

/** Runs the daemon where it is expected to end by itself. */
export async function runDaemon(t: TestContext, options: DaemonOptions = {}): Promise<Ended> {
  const folder = options.folder ?? (await temporaryFolder(t))
  return run(commandOf(options, folder), { ...spawnOptions(options, folder), withinMs: 20_000 })
}

function commandOf(options: DaemonOptions, folder: string): readonly string[] {
  const { flags = [], sip = ['127.0.0.1:0'], tls = [], api, program, enter = (command) => command } = options
  const listen = [
    ...sip.flatMap((place) => ['--sip-listen', place]),
    ...(tls.length === 0 ? ['--tls-disable'] : tls.flatMap((place) => ['--tls-listen', place])),
    ...(api === undefined ? [] : ['--api', '--api-listen', api]),
  ]
  return enter([...(program ?? [process.execPath, join(ROOT, 'bin/sentrypeer')]), ...listen, ...flags], folder)
}

/** Nothing of the tester's own settings may reach the daemon. */
function spawnOptions({ env = {}, detached = false }: DaemonOptions, folder: string) {
  const { PATH = '' } = process.env
  return { cwd: folder, detached, env: { PATH, HOME: folder, TZ: 'Asia/Kathmandu', ...env } }
}

function expectedListeners({ sip = ['127.0.0.1:0'], tls = [], api }: DaemonOptions): number {
  return sip.length * 2 + tls.length + (api === undefined ? 0 : 1)
}

function listening(stderr: string): { transport: string; host: string; port: number }[] {
  const lines = /^Listening for incoming (\w+) connections\.\.\. \[?([0-9a-f.:]+?)\]?:(\d+)(?: .*)?$/gm
  return [...stderr.matchAll(lines)].map(([, transport = '', host = '', port]) => ({
    transport,
    host,
    port: Number(port),
  }))
}
