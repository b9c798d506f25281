// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'

/** How a process ended and what it said. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly tookMs: number
}

/** A process that the tests started and that is killed, at the latest, when the test process ends. */
export interface Running {
  readonly child: ChildProcess
  readonly pid: number
  stdout(): string
  stderr(): string
  readonly ended: Promise<Ended>
}

const alive = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/** Starts a program from an argument list. Rejects when there is no such program. */
export async function start(command: readonly string[], options: SpawnOptions = {}): Promise<Running> {
  const [program = '', ...args] = command
  const startedMs = performance.now()
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  }
  child.stdin?.on('error', () => {}) // it may end before it has read everything
  alive.add(child)
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code, signal) => {
      alive.delete(child)
      resolve({ code, signal, ...output, tookMs: performance.now() - startedMs })
    })
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
  return { child, pid: child.pid ?? 0, stdout: () => output.stdout, stderr: () => output.stderr, ended }
}

/** Runs a program to its end; killed, with `signal` SIGKILL in the result, when that takes longer than `withinMs`. */
export async function run(
  command: readonly string[],
  { input = '', withinMs = 30_000, ...options }: SpawnOptions & { input?: string | Buffer; withinMs?: number } = {},
): Promise<Ended> {
  const { child, ended } = await start(command, options)
  const deadline = setTimeout(() => child.kill('SIGKILL'), withinMs)
  child.stdin?.end(input)
  const end = await ended
  clearTimeout(deadline)
  return end
}
