// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { join } from 'node:path'
import { run } from '../test/run.ts'
import type { LoadProgram } from './load-program.ts'

const SPARE_MS = 60_000
const LAST_REPLY_MS = 700 // chosen: a checkpoint holds replies up for 200 ms at most; nothing for so long, and the rest is lost
const LAST_SEQUENCE = 9_000_000_000

export interface Sending {
  readonly port: number
  /** Messages a second. */
  readonly rate: number
  readonly count: number
  readonly sources: number
  /** Whether to wait for replies, and to take their times. */
  readonly replies: boolean
}

export interface Sent {
  readonly sent: number
  readonly elapsedS: number
  readonly replies: number
  /** Of replies; NaN where they were not taken. */
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface Asking {
  readonly port: number
  /** `%d` is replaced by a called number, `%a` by an address, both of `numbers` different ones. */
  readonly path: string
  readonly numbers: number
  readonly connections: number
  readonly seconds: number
  /** Ends earlier when so many were asked; not for the generator in JavaScript. */
  readonly count?: number
}

export interface Asked {
  readonly requests: number
  /** Answers other than 200, and connections that broke. */
  readonly failed: number
  readonly bytes: number
  readonly elapsedS: number
  readonly firstP50Ms: number
  readonly firstP99Ms: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface Streaming {
  readonly port: number
  readonly connections: number
  /** Then the connection is closed and a new one opened; 0 for all on one. */
  readonly perConnection: number
  /** Requests under way on a connection; 0 for no look at replies. */
  readonly window: number
  readonly count: number
  readonly seconds: number
}

export interface Streamed {
  readonly sent: number
  readonly replies: number
  readonly opened: number
  readonly failed: number
  readonly elapsedS: number
}

/** Sends load. No two messages are alike, in all of its life. */
export interface Load {
  readonly generator: string
  /** Null for the generator in JavaScript. */
  readonly program: LoadProgram | null
  send(sending: Sending): Promise<Sent>
  ask(asking: Asking): Promise<Asked>
  /** Null for the generator in JavaScript. */
  readonly stream: ((streaming: Streaming) => Promise<Streamed>) | null
}

export function createLoadInC(program: LoadProgram): Load {
  const nextSequence = createSequence()
  const result = async <T>(
    withinMs: number,
    command: string,
    values: Readonly<Record<string, string | number | true>>,
  ) => (await output(withinMs, [program.path, command, ...argumentsOf(values)])) as T // the program's own format
  return {
    generator: 'load by C (bench/load.c)',
    program,
    send({ port, rate, count, sources, replies }) {
      const seconds = Math.min(600, (count / rate) * 4 + 5)
      const common = { to: `127.0.0.1:${port}`, rate, count, sources, first: nextSequence(count), seconds }
      return result(seconds * 1000, 'send', replies ? { ...common, replies: true, 'wait-ms': LAST_REPLY_MS } : common)
    },
    ask: ({ port, path, numbers, connections, seconds, count = 0 }) =>
      result(seconds * 1000, 'http', {
        to: `127.0.0.1:${port}`,
        ...{ path, numbers, connections, seconds, count, 'wait-ms': 3000 },
      }),
    stream: ({ port, connections, perConnection, window, count, seconds }) =>
      result(seconds * 1000, 'tcp', {
        to: `127.0.0.1:${port}`,
        ...{ connections, window, count, seconds, sources: 64, first: nextSequence(count) },
        'per-connection': perConnection,
      }),
  }
}

/** For where there is no C compiler: what it measures is itself as much as the node. */
export function createLoadInJavaScript(why: string): Load {
  const nextSequence = createSequence()
  const result = async <T>(seconds: number, script: string, values: readonly (string | number)[]) => {
    const command = [process.execPath, join(import.meta.dirname, script), ...values.map(String)]
    return (await output(seconds * 1000, command)) as T // the script's own format
  }
  return {
    generator: `load by JavaScript, since ${why}`,
    program: null,
    async send({ port, rate, count }) {
      const sent = await result<Sent>(count / rate, 'send-datagrams.ts', [port, rate, count, nextSequence(count)])
      return { ...sent, p50Ms: Number.NaN, p99Ms: Number.NaN }
    },
    ask: ({ port, path, numbers, connections, seconds }) =>
      result(seconds, 'request-lookups.ts', [port, seconds, path, numbers, connections]),
    stream: null,
  }
}

function createSequence(): (count: number) => number {
  let next = 0
  return (count) => {
    const first = next + count > LAST_SEQUENCE ? 0 : next
    next = first + count
    return first
  }
}

function argumentsOf(values: Readonly<Record<string, string | number | true>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, ...(value === true ? [] : [String(value)])])
}

/** Detached: a Ctrl-C is for whoever wants the result, and the programs end with him or by themselves. */
async function output(withinMs: number, command: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await run(command, { withinMs: withinMs + SPARE_MS, detached: true })
  if (code !== 0) throw new Error(`${command.join(' ')} failed: ${stderr}`)
  return JSON.parse(stdout)
}
