// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/*
 * The thread of the quiet client: asks a little all the time, one thing of a kind at a time, and takes the times. A
 * thread of its own, so that whoever sends the load does not slow it down.
 */

import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { Ports } from '../node-process.ts'
import { processorWaitMs } from '../processor-wait.ts'
import { answeredIn, sipRequest } from '../sip-client.ts'
import { markOf } from './ledger.ts'
import type { Kind, QuietReport, Sample } from './quiet-client.ts'
import { openSource } from './stage.ts'

const ADDRESS = '127.50.0.1'
const ASK_EVERY_MS = 100
const PING_EVERY_MS = 20
const GIVEN_UP_AFTER_MS = 3_000 // the node answers no datagram that waited for two seconds
const MESSAGE_EVERY_MS = 20_000 // on the connection of the pings, which is ended after 120 s without one
const HUNG_AFTER_MS = 30_000
const TELL_EVERY_MS = 500

const { ports, pid } = workerData as { readonly ports: Ports; readonly pid: number } // of quiet-client.ts
let isOver = false
let samples: Sample[] = []
const sent = { datagrams: 0, written: 0 }
const uncertain: number[] = []

parentPort?.once('message', () => {
  isOver = true
})
const telling = setInterval(tell, TELL_EVERY_MS)
await Promise.all([askByDatagram(), pingAlways(), lookUp()])
clearInterval(telling)
tell()
parentPort?.postMessage({ kind: 'end', ...sent, uncertain } satisfies QuietReport)

function tell(): void {
  parentPort?.postMessage({ kind: 'samples', samples } satisfies QuietReport)
  samples = []
}

function took(kind: Kind, fromMs: number, withoutMs = 0): void {
  samples.push({ kind, atMs: Date.now(), ms: Math.max(0, performance.now() - fromMs - withoutMs) })
}

/** One OPTIONS after the other: commit included, since answered means stored. */
async function askByDatagram(): Promise<void> {
  const source = await openSource({ ports }, ADDRESS)
  let heard: (callId: string) => void = () => {}
  source.onAnswer((bytes) => answeredIn(bytes.toString('latin1')).forEach((callId) => void heard(callId)))
  while (!isOver) {
    const number = sent.datagrams
    const callId = markOf('quiet', number)
    const fromMs = performance.now()
    const answered = new Promise<boolean>((resolve) => {
      heard = (id) => id === callId && resolve(true)
    })
    await new Promise<void>((resolve) =>
      source.send(sipRequest({ callId }), () => {
        sent.datagrams++
        resolve()
      }),
    )
    const isAnswered = await Promise.race([answered, delay(GIVEN_UP_AFTER_MS, false)])
    if (isAnswered) took('reply', fromMs)
    else samples.push({ kind: 'reply', atMs: Date.now(), ms: null })
    await delay(Math.max(1, ASK_EVERY_MS - (performance.now() - fromMs)))
  }
  await source.close()
}

/** RFC 5626 §3.5.1: answered with CRLF at once, without parser, store or budget, so that is how long a turn of the loop takes. */
async function pingAlways(): Promise<void> {
  while (!isOver) {
    const number = sent.written++
    const socket = connect({ host: '127.0.0.1', port: ports.tcp, localAddress: ADDRESS, noDelay: true })
    let isBroken = false
    socket.on('error', () => {
      isBroken = true
    })
    await Promise.race([once(socket, 'connect').catch(() => {}), once(socket, 'close').catch(() => {})])
    socket.write(sipRequest({ callId: markOf('quietly', number), transport: 'TCP' }))
    await pingOn(socket)
    if (!socket.closed) {
      socket.end()
      await once(socket, 'close').catch(() => {})
    }
    if (isBroken) uncertain.push(number)
    await delay(PING_EVERY_MS)
  }
}

async function pingOn(socket: Socket): Promise<void> {
  const untilMs = performance.now() + MESSAGE_EVERY_MS
  let heard: (isAnswer: boolean) => void = () => {}
  socket.setEncoding('latin1').on('data', (text: string) => text.endsWith('\r\n') && heard(true))
  socket.once('close', () => heard(false))
  socket.setTimeout(HUNG_AFTER_MS, () => socket.destroy())
  const next = () =>
    new Promise<boolean>((resolve) => {
      heard = resolve
      if (socket.closed) resolve(false)
    })
  await next() // the answer to the message
  while (!isOver && socket.writable && performance.now() < untilMs) {
    const fromMs = performance.now()
    const waitedMs = processorWaitMs(pid)
    socket.write('\r\n\r\n')
    if (await next()) took('ping', fromMs, processorWaitMs(pid) - waitedMs)
    await delay(PING_EVERY_MS)
  }
}

/** What a PBX asks before it dials. */
async function lookUp(): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let number = 0; !isOver; number = (number + 7_919) % 5_000) {
    const path = number % 2 === 0 ? `/numbers/0044${1_000_000 + number}` : `/ip-addresses/127.20.0.${1 + (number % 32)}`
    const fromMs = performance.now()
    const request = get({ host: '127.0.0.1', port: ports.http, path, agent, timeout: HUNG_AFTER_MS })
    request.once('timeout', () => request.destroy(new Error('no answer')))
    try {
      const [response] = await once(request, 'response')
      response.resume()
      await once(response, 'end')
      took('look-up', fromMs)
    } catch {
      samples.push({ kind: 'look-up', atMs: Date.now(), ms: null })
    }
    await delay(Math.max(1, ASK_EVERY_MS - (performance.now() - fromMs)))
  }
  agent.destroy()
}
