// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { startDaemon } from './daemon-process.ts'
import { honeyRows } from './evidence.ts'
import { createHosts, type Host } from './hosts.ts'
import { testWith } from './peers.ts'
import { run } from './run.ts'
import { sipRequest } from './sip-client.ts'

// A node with several addresses that listens on all of them: where a probe was sent to is evidence, and an answer that
// comes from another address is none to a scanner behind NAT, or one with a connected socket.

const ASK = `
import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
to = socket.getaddrinfo(sys.argv[1], 5060, family, socket.SOCK_DGRAM)[0][4]
s = socket.socket(family, socket.SOCK_DGRAM)
s.settimeout(10)
if len(sys.argv) > 3: s.bind((sys.argv[3], 0))
s.sendto(sys.argv[2].encode(), to)
answer, source = s.recvfrom(65536)
print(answer.split()[1].decode(), source[0].split('%')[0], source[1])
`

testWith(
  ['namespaces', 'python3', 'sqlite3'],
  'on a wildcard socket a probe is stored with the address that it was sent to, and answered from there',
  async (t) => {
    const { node, caller } = await createHosts(t)
    await configure(node, 'bridge', ['198.18.0.77/24', 'fd00:5060::1/64', 'fd00:5060::77/64', 'fe80::77/64'])
    await configure(caller, 'eth0', ['fd00:5060::2/64', 'fe80::2/64'])
    const daemon = await startDaemon(t, { enter: node.enter, sip: ['0.0.0.0:5060', '[::]:5060'], flags: ['-r'] })

    const asked = ['198.18.0.77', '198.18.0.1', 'fd00:5060::77', 'fd00:5060::1', 'fe80::77']
    for (const address of asked) {
      const link = address.startsWith('fe80') ? '%eth0' : ''
      assert.equal(await ask(caller, `${address}${link}`, address), `200 ${address} 5060`)
    }
    // To our address of the link from one of the caller's that is good on every link.
    assert.equal(await ask(caller, 'fe80::77%eth0', 'from all links', ['fd00:5060::2']), '200 fe80::77 5060')
    assert.match(
      await ask(caller, 'ff02::1%eth0', 'everybody'),
      /^200 fe80::/,
      'nothing comes from a multicast address',
    )

    const rows = await honeyRows(join(daemon.folder, 'sentrypeer.db'))
    const destinations = rows.map(({ destination_ip }) => destination_ip)
    assert.deepEqual(destinations.slice(0, asked.length), asked)
    assert.equal(destinations[asked.length], 'fe80::77')
    assert.match(destinations[asked.length + 1] ?? '', /^f[de]/, 'one of ours')
  },
)

async function configure(host: Host, device: string, addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    const nodad = address.includes(':') ? ['nodad'] : []
    const { code, stderr } = await run(host.enter(['ip', 'address', 'add', address, 'dev', device, ...nodad]))
    assert.equal(code, 0, stderr)
  }
}

/** Status, address and port of what answers. */
async function ask(caller: Host, address: string, callId: string, from: readonly string[] = []): Promise<string> {
  const { stdout, stderr } = await run(caller.enter(['python3', '-c', ASK, address, sipRequest({ callId }), ...from]))
  assert.equal(stderr, '')
  return stdout.trim()
}
