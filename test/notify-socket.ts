// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'
import { start } from './run.ts'
import { waitFor } from './wait-for.ts'

// Stands where systemd does: a datagram socket. It says when what came, whether the ports were open the moment that
// READY=1 came, and when nothing came for some time.
const RECEIVER = `
import json, socket, sys, time
path, silence, ports = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
def reachable(port):
    try:
        socket.create_connection(('127.0.0.1', int(port)), 5).close()
        return True
    except OSError:
        return False
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind('\\0' + path[1:] if path.startswith('@') else path)
receiver.settimeout(silence)
print(json.dumps({'atMs': 0, 'lines': 'LISTENING'}), flush=True)
while True:
    try:
        lines = receiver.recv(65536).decode()
    except TimeoutError:
        lines = 'SILENCE'
    if lines == 'BARRIER=1': # systemd-notify waits until its descriptor is closed, as receiving without it does
        continue
    told = {'atMs': time.monotonic() * 1000, 'lines': lines}
    if lines.startswith('READY=1') and ports:
        told['reachable'] = [reachable(port) for port in ports]
    print(json.dumps(told), flush=True)
`

/** A datagram that the service manager got. */
export interface Told {
  readonly atMs: number
  /** `SILENCE` when none came for `silenceMs`. */
  readonly lines: string
  /** Of the `ports`, when it says READY=1: which could be connected to at that moment. */
  readonly reachable?: readonly boolean[]
}

export interface NotifySocket {
  told(): Told[]
  /** Those whose first line is this one. */
  told(first: string): Told[]
  signal(signal: NodeJS.Signals): void
}

/** Listens at `path`, in the abstract namespace when that begins with `@`. Takes python3. */
export async function openNotifySocket(
  t: TestContext,
  path: string,
  { silenceMs = 60_000, ports = [] }: { readonly silenceMs?: number; readonly ports?: readonly number[] } = {},
): Promise<NotifySocket> {
  const { child, ended, stdout, stderr } = await start([
    'python3',
    '-c',
    RECEIVER,
    path,
    String(silenceMs / 1_000),
    ...ports.map(String),
  ])
  atEnd(t, async () => {
    child.kill('SIGKILL')
    await ended
  })
  await waitFor('a notify socket', () => stdout().includes('LISTENING'), { state: stderr })
  return {
    told(first?: string) {
      const all = stdout().split('\n').slice(1, -1)
      const told = all.map((line) => JSON.parse(line) as Told) // written above
      return first === undefined ? told : told.filter(({ lines }) => lines.split('\n')[0] === first)
    },
    signal: (signal) => void child.kill(signal),
  }
}
