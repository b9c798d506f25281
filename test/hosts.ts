// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'
import { run, start } from './run.ts'
import { waitFor } from './wait-for.ts'

/*
 * Four hosts at one bridge, made of network namespaces. Nothing leads out of it, and the addresses are those set aside
 * for tests of network devices (RFC 2544: 198.18.0.0/15). The namespaces have no names: a shell keeps each of them until
 * its standard input closes, which it does at the latest when the test process dies.
 */

/** A host of this small network. */
export interface Host {
  readonly address: string
  /** `command` on that host. */
  enter(command: readonly string[]): string[]
}

export interface Hosts {
  /** For the daemon. */
  readonly node: Host
  readonly caller: Host
  readonly victim: Host
  /** It may send from the victim's address as well as from its own. What is sent to that address, the victim gets. */
  readonly forger: Host
}

const NODE = '198.18.0.1'
const CALLER = '198.18.0.2'
const VICTIM = '198.18.0.3'
const FORGER = '198.18.0.4'

const isRoot = process.getuid?.() === 0

/** Makes the hosts; gone when the test ends. */
export async function createHosts(t: TestContext): Promise<Hosts> {
  const first = await holdNamespace(t, isRoot ? [] : ['unshare', '--map-root-user'])
  const intoUser = isRoot ? [] : ['nsenter', `--target=${first}`, '--user', '--preserve-credentials']
  const another = async (address: string) => hostIn(await holdNamespace(t, intoUser), address)
  const [node, caller, victim, forger] = [
    hostIn(first, NODE),
    await another(CALLER),
    await another(VICTIM),
    await another(FORGER),
  ]
  await shell(node, `ip link add bridge type bridge && ip address add ${NODE}/24 dev bridge && ip link set bridge up`)
  for (const [at, client] of [caller, victim, forger].entries()) {
    const cable = `cable${at} type veth peer name eth0 netns ${client.pid}`
    await shell(node, `ip link add ${cable} && ip link set cable${at} master bridge up`)
    await shell(client, `ip address add ${client.address}/24 dev eth0 && ip link set eth0 up`)
  }
  // On the bridge the forger neither answers for that address nor names it in its own questions: the node would send
  // the answers to the forger.
  const settings = '/proc/sys/net/ipv4/conf/all'
  await shell(forger, `echo 1 >${settings}/arp_ignore && echo 2 >${settings}/arp_announce`)
  await shell(forger, `ip address add ${VICTIM}/32 dev lo`)
  return { node, caller, victim, forger }
}

/** Starts a shell in a network namespace of its own; its process id. */
async function holdNamespace(t: TestContext, within: readonly string[]): Promise<number> {
  const command = [...within, 'unshare', '--net', 'sh', '-ec', 'ip link set lo up; echo made; read -r _ || :']
  const { child, pid, ended, stdout, stderr } = await start(command)
  atEnd(t, async () => {
    child.stdin?.end()
    await ended
  })
  await waitFor('a network namespace', () => stdout().includes('made') || child.exitCode !== null, { state: stderr })
  assert.equal(child.exitCode, null, `cannot make a network namespace: ${stderr()}`)
  return pid
}

function hostIn(pid: number, address: string): Host & { readonly pid: number } {
  const user = isRoot ? [] : ['--user', '--preserve-credentials']
  return { pid, address, enter: (command) => ['nsenter', `--target=${pid}`, ...user, '--net', ...command] }
}

async function shell(host: Host, script: string): Promise<void> {
  const { code, stderr } = await run(host.enter(['sh', '-ec', script]))
  assert.equal(code, 0, stderr)
}

/** A UDP socket on a host, for talking to one other address. */
export interface HostSocket {
  /** `address:port` */
  readonly from: string
  send(datagram: string): void
  /** The datagrams that came, in order. */
  received(): string[]
  sentBytes(): number
  receivedBytes(): number
}

/** Opens a UDP socket on `host` and connects nothing: what anybody sends to it counts as received. */
export async function openHostSocket(
  t: TestContext,
  host: Host,
  from: { readonly address: string; readonly port: number },
  to: { readonly address: string; readonly port: number },
): Promise<HostSocket> {
  const relay = join(import.meta.dirname, 'relay.py')
  const ends = [from.address, String(from.port), to.address, String(to.port)]
  const { child, ended, stdout, stderr } = await start(host.enter(['python3', relay, ...ends]))
  atEnd(t, async () => {
    child.stdin?.end()
    await ended
  })
  await waitFor('a socket on another host', () => stdout().startsWith('bound\n') || child.exitCode !== null)
  assert.equal(child.exitCode, null, stderr())

  let sentBytes = 0
  const received = () => {
    const lines = stdout().split('\n').slice(1, -1)
    return lines.map((line) => Buffer.from(line, 'base64').toString('latin1'))
  }
  return {
    from: `${from.address}:${from.port}`,
    send(datagram) {
      sentBytes += datagram.length
      child.stdin?.write(`${Buffer.from(datagram, 'latin1').toString('base64')}\n`)
    },
    received,
    sentBytes: () => sentBytes,
    receivedBytes: () => received().reduce((total, { length }) => total + length, 0),
  }
}
