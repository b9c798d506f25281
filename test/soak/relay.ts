// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { parseMessage } from '../../src/sip/parse.ts'
import { openSource, type Stage } from './stage.ts'

/** Stands between another program and the node, so that every datagram of it is in the ledger. */
export interface Relay {
  /** Where the program sends to, on 127.0.0.1. */
  readonly port: number
  close(): Promise<void>
}

/** What passes reaches the node from `address`. */
export async function openRelay(stage: Stage, address: string): Promise<Relay> {
  const far = await openSource(stage, address)
  const near = createSocket('udp4')
  near.on('error', () => {}) // the program has ended and was still being answered
  near.bind(0, '127.0.0.1')
  await once(near, 'listening')
  let program: { readonly port: number; readonly address: string } | null = null
  near.on('message', (bytes, from) => {
    program = from
    const isKeepAlive = parseMessage(bytes).kind === 'keep-alive'
    far.send(bytes, () => {
      if (isKeepAlive) stage.ledger.keepAliveLeft()
      else stage.ledger.relayed(far.address, far.port, bytes)
    })
  })
  far.onAnswer((answer) => {
    if (program !== null) near.send(answer, program.port, program.address)
  })
  return {
    port: near.address().port,
    async close() {
      near.close()
      await far.close()
    },
  }
}
