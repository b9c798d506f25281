// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { start } from '../run.ts'
import { waitFor } from '../wait-for.ts'

// Ends without losing what was sent: nothing more is taken (EPIPE at the sender), what was taken is read, then it ends.
const RECEIVER = `
import os, socket, sys, threading
path = sys.argv[1]
if os.path.exists(path):
    os.unlink(path)
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(path)
print('listening', flush=True)
def end():
    sys.stdin.read()
    os.unlink(path)
    receiver.shutdown(socket.SHUT_RD)
threading.Thread(target=end, daemon=True).start()
lines = strange = 0
while True:
    line = receiver.recv(65536)
    if not line:
        break
    lines += 1
    strange += not line.startswith(b'<13>sentrypeer[')
print(lines, strange, flush=True)
`

/** Lines that a syslog got, and how many of them are none of ours. */
export interface SyslogCount {
  readonly lines: number
  readonly strange: number
}

/** A syslog that counts, and that can go away. Takes python3. */
export interface SyslogReceiver {
  stop(): Promise<SyslogCount>
}

export async function startSyslogReceiver(path: string): Promise<SyslogReceiver> {
  const { child, ended, stdout, stderr } = await start(['python3', '-c', RECEIVER, path], { detached: true })
  await waitFor('a syslog socket', () => stdout().startsWith('listening\n'), { withinMs: 20_000, state: stderr })
  return {
    async stop() {
      child.stdin?.end()
      const end = await ended
      const [, lines, strange] = /^listening\n(\d+) (\d+)\n$/.exec(end.stdout) ?? []
      if (lines === undefined) throw new Error(`the syslog receiver failed: ${end.stderr}`)
      return { lines: Number(lines), strange: Number(strange) }
    },
  }
}
