// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'

const LOWEST = 10_240 // chosen: above the ports of services that people run
const LOWEST_EPHEMERAL = 32_768 // Linux's default, where the system does not tell
const FEWEST = 1_000 // chosen: where so few are below the ephemeral ones, the default's are no worse
const TRIES = 100 // chosen: with half of all ports taken none is found once in 10^30

/** One port as `freePorts` finds them. */
export async function freePort(host: string): Promise<number> {
  const [port] = await freePorts(host, 1)
  return port ?? Number.NaN // there are as many as were asked for
}

/**
 * Different ports that nobody uses on this address, for UDP and TCP alike. None that the kernel gives to whoever asks for
 * any: by the time that the port is opened, an outgoing connection of another test could have it. For what has to know
 * its port before it is opened, and for tools that all take the same one by default and would hear what was meant for the
 * one before: an answer goes out after its event is stored, and some do not wait for the last of them.
 */
export async function freePorts(host: string, count: number, random = Math.random): Promise<number[]> {
  const end = endOfOthers(await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'latin1').catch(() => ''))
  const found = new Set<number>()
  for (let tries = 0; found.size < count; tries++) {
    if (tries === TRIES * count) throw new Error(`no ${count} free ports from ${LOWEST} to ${end - 1} on ${host}`)
    const port = LOWEST + Math.floor(random() * (end - LOWEST))
    if (!found.has(port) && (await isFree(host, port))) found.add(port)
  }
  return [...found]
}

/** The first port that may be ephemeral, given the text of `ip_local_port_range` (ip(7)); empty where there is none. */
export function endOfOthers(range: string): number {
  const lowest = Number(/^(\d+)\s+\d+\s*$/.exec(range)?.[1] ?? LOWEST_EPHEMERAL)
  return lowest - LOWEST < FEWEST ? LOWEST_EPHEMERAL : lowest
}

async function isFree(host: string, port: number): Promise<boolean> {
  const datagrams = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  const streams = createServer()
  try {
    datagrams.bind(port, host)
    await once(datagrams, 'listening')
    streams.listen({ port, host, exclusive: true })
    await once(streams, 'listening')
    return true
  } catch {
    return false // EADDRINUSE as a rule; whatever else it is, it is not to be had
  } finally {
    await Promise.all([closed(datagrams), closed(streams)])
  }
}

/** Also where it never opened. */
function closed(socket: { close(done: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => {
    try {
      socket.close(() => resolve())
    } catch {
      resolve()
    }
  })
}
