// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { startDaemon } from './daemon-process.ts'
import { sipRequest, udpClient } from './sip-client.ts'

/** Lets a daemon collect and answer that many probes in `folder`, and stops it. The database's path. */
export async function collected(t: TestContext, folder: string, probes: number): Promise<string> {
  const daemon = await startDaemon(t, { folder, flags: ['-r'] })
  const client = await udpClient(t, daemon.port('UDP'))
  for (let probe = 1; probe <= probes; probe++) {
    const callId = `collected-${probe}`
    client.send(sipRequest({ callId, number: `0044${1000 + probe}` }))
    await client.answered(callId)
  }
  await daemon.stop()
  return join(folder, 'sentrypeer.db')
}
