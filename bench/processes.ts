// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { start } from '../test/run.ts'
import { waitFor } from '../test/wait-for.ts'

const ROOT = join(import.meta.dirname, '..')
const START_MS = 60_000 // a database of some GB on a slow disk
const STOP_MS = 15_000

/** What takes messages: a node, or a floor in its place. */
export interface Receiver {
  readonly udpPort: number
  /** Messages that are where they belong: committed rows, or for a floor that only counts what came in. */
  taken(): Promise<number>
  stop(): Promise<void>
}

export interface Node extends Receiver {
  readonly tcpPort: number
  readonly tlsPort: number
  readonly httpPort: number
  readonly pid: number
}

export interface NodeOptions {
  /** A folder for it alone. */
  readonly folder: string
  /** Its database; a new one in the folder unless named. */
  readonly file?: string
  readonly flags?: readonly string[]
  readonly program?: readonly string[]
}

/** The daemon as it is in this clone, on ports that the kernel chooses. Resolves when it listens. */
export async function startNode({
  folder,
  file = join(folder, 'x.db'),
  flags = [],
  program = sources(),
}: NodeOptions): Promise<Node> {
  const { PATH = '' } = process.env
  const ports = flags.includes('-R') ? [] : ['--sip-listen', '127.0.0.1:0']
  const command = [...program, ...ports, ...(flags.includes('--tls-listen') ? [] : ['-N']), '-f', file, ...flags]
  const { child, pid, ended, stderr } = await start(command, { cwd: folder, env: { PATH, HOME: folder } })
  const port = (transport: string) =>
    Number(
      new RegExp(`^Listening for incoming ${transport} connections\\.\\.\\. 127\\.0\\.0\\.1:(\\d+)`, 'm').exec(
        stderr(),
      )?.[1] ?? 0,
    )
  const expected = [
    ...(flags.includes('-R') ? [] : ['UDP', 'TCP']),
    ...(flags.includes('--tls-listen') ? ['TLS'] : []),
    ...(flags.includes('-a') ? ['HTTP'] : []),
  ]
  const isOver = () => child.exitCode !== null || child.signalCode !== null
  await waitFor('the node to listen', () => isOver() || expected.every((transport) => port(transport) !== 0), {
    withinMs: START_MS,
    state: stderr,
  })
  if (isOver()) throw new Error(`the node did not start:\n${stderr()}`)
  const database = new DatabaseSync(file, { readOnly: true })
  const lastRow = database.prepare('SELECT max(honey_id) AS id FROM honey')
  const rows = () => Number(lastRow.get()?.['id'] ?? 0)
  const before = rows()
  return {
    udpPort: port('UDP'),
    tcpPort: port('TCP'),
    tlsPort: port('TLS'),
    httpPort: port('HTTP'),
    pid,
    taken: async () => rows() - before,
    async stop() {
      database.close()
      child.kill('SIGTERM')
      const killer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      await ended
      clearTimeout(killer)
    },
  }
}

function sources(): readonly string[] {
  return [process.execPath, join(ROOT, 'bin/sentrypeer')]
}

/** A program that says its port first and then, when asked by a line, how much it has taken. */
export async function startFloor(command: readonly string[], counts: 'received' | 'stored'): Promise<Receiver> {
  const { child, ended, stderr } = await start(command)
  if (child.stdout === null) throw new Error('started with a pipe')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<Readonly<Record<string, number>>> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${command.join(' ')} ended: ${stderr()}`)
    return JSON.parse(value)
  }
  const { port = 0 } = await next()
  return {
    udpPort: port,
    async taken() {
      child.stdin?.write('count\n')
      return (await next())[counts] ?? 0
    },
    async stop() {
      child.stdin?.end()
      await ended
    },
  }
}

/** A script of this folder, run by this Node.js. */
export function script(name: string, ...values: readonly (string | number)[]): readonly string[] {
  return [process.execPath, join(import.meta.dirname, name), ...values.map(String)]
}

/** Megabytes of memory that a process has now; null where there is no /proc. */
export function memoryMb(pid: number): number | null {
  const status = `/proc/${pid}/status`
  if (!existsSync(status)) return null
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(status, 'latin1'))?.[1] ?? Number.NaN) / 1024
}

/** Datagrams that the kernel dropped at a port of 127.0.0.1, from the last column of /proc/net/udp (proc(5)). */
export function kernelDrops(port: number): number {
  if (!existsSync('/proc/net/udp')) return 0
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = readFileSync('/proc/net/udp', 'latin1')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
  const ours = rows.filter((columns) => columns[1]?.endsWith(local))
  return ours.reduce((sum, columns) => sum + Number(columns.at(-1)), 0)
}

/** Waits until `taken` is `wanted`, or nothing more has come for `quietMs`; gives how much it is then. A commit may take long. */
export async function settled(taken: () => Promise<number>, wanted: number, quietMs = 5_000): Promise<number> {
  let last = await taken()
  for (let quietFrom = performance.now(); last < wanted && performance.now() - quietFrom < quietMs; ) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    const now = await taken()
    if (now !== last) quietFrom = performance.now()
    last = now
  }
  return last
}
