// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type DaemonProcess, startDaemon } from './daemon-process.ts'
import { callIdOf, type HoneyRow, honeyRows } from './evidence.ts'
import { createHosts, type Host, type HostSocket, openHostSocket } from './hosts.ts'
import { testWith } from './peers.ts'
import { sipRequest } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

// Whom a node could be turned against, on hosts of a network of their own. amplification.test.ts and
// forged-source.test.ts look at how much the owner of one forged address gets.

const SIP_PORT = 5060
const REFLECTOR_PORTS = [7, 19, 53, 123, 161, 1900, 11211] // where something answers whatever comes
const METHODS = ['OPTIONS', 'REGISTER', 'INVITE', 'SUBSCRIBE', 'MESSAGE']
const ROUNDS = 10

testWith(
  ['namespaces', 'python3', 'sqlite3'],
  'two nodes that a forger sets on each other do not talk to each other',
  async (t) => {
    const { node, victim, caller, forger } = await createHosts(t)
    const first = await startAt(t, node)
    const second = await startAt(t, victim)
    const forged = await openHostSocket(t, forger, at(victim), at(node)) // in the name of the second, to the first
    const sent: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      for (const method of METHODS) {
        const callId = `${method}-${round}`
        forged.send(sipRequest({ callId, method, agent: 'x'.repeat(300) }))
        sent.push(callId)
      }
    }
    await rowsOf(first, victim, sent.length)
    await rowsOf(second, node, 1)
    // A request of somebody else to each of them, and its answer: what had come before is through by then.
    for (const [host, daemon] of [
      [node, first],
      [victim, second],
    ] as const) {
      const other = await openHostSocket(t, caller, { address: caller.address, port: 0 }, at(host))
      other.send(sipRequest({ callId: 'last' }))
      await waitFor('an answer', () => other.received().length > 0)
      await rowsOf(daemon, caller, 1)
    }
    const heard = await rowsOf(first, victim, sent.length)
    assert.deepEqual(heard.map((row) => callIdOf(row.sip_message)).sort(), sent.sort(), 'nothing but what was forged')
    const answers = await rowsOf(second, node, 1)
    assert.ok(answers.every((row) => row.sip_message.startsWith('SIP/2.0 ')))
  },
)

testWith(
  ['namespaces', 'python3', 'sqlite3'],
  'no reply goes to a port where something answers whatever comes',
  async (t) => {
    const { node, caller } = await createHosts(t)
    const daemon = await startAt(t, node)
    const sockets: HostSocket[] = []
    for (const port of [...REFLECTOR_PORTS, SIP_PORT]) {
      const socket = await openHostSocket(t, caller, { address: caller.address, port }, at(node))
      for (const method of METHODS) socket.send(sipRequest({ callId: `${method}-${port}`, method }))
      sockets.push(socket)
      await rowsOf(daemon, caller, METHODS.length * sockets.length)
    }
    await waitFor('answers to the one port that may have them', () => (sockets.at(-1)?.received().length ?? 0) > 0)
    assert.deepEqual(
      sockets.slice(0, -1).flatMap((socket) => socket.received()),
      [],
    )
  },
)

function at({ address }: Host): { readonly address: string; readonly port: number } {
  return { address, port: SIP_PORT }
}

function startAt(t: TestContext, { address, enter }: Host): Promise<DaemonProcess> {
  return startDaemon(t, { enter, sip: [`${address}:${SIP_PORT}`], flags: ['-r', '--persona', 'asterisk'] })
}

/** The rows of what came from that host, once there are so many. */
function rowsOf(daemon: DaemonProcess, { address }: Host, atLeast: number): Promise<HoneyRow[]> {
  return waitFor(`${atLeast} rows of ${address}`, async () => {
    const rows = await honeyRows(join(daemon.folder, 'sentrypeer.db'))
    const found = rows.filter(({ source_ip }) => source_ip === address)
    return found.length >= atLeast ? found : null
  })
}
