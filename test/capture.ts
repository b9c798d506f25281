// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'
import { temporaryFolder } from './daemon-process.ts'
import { run, start } from './run.ts'
import { waitFor } from './wait-for.ts'

/*
 * What went over the wire, read by Wireshark's dissectors instead of our own parser. A frame is in the file up to half
 * a second after it was captured, so both ends of a capture are marked by a datagram of our own: the capture runs once
 * the first mark is in the file, and it has everything once the last one is.
 */

const KERNEL_BUFFER_MIB = 16 // chosen: seconds of a busy test; the default of 2 loses frames on a slow machine
const WARNING = 0x600000 // Wireshark's PI_WARN; notes and chats are below
const MOST_SHOWN = 10

/** One SIP message as Wireshark reads it. Absent parts are empty strings. */
export interface CapturedMessage {
  readonly frame: number
  readonly isOurs: boolean
  /** Transport, address and port of the other side. */
  readonly peer: string
  /** Null in a response. */
  readonly method: string | null
  /** Null in a request. */
  readonly status: number | null
  /** Sent-by and branch of each Via, the topmost first. */
  readonly vias: readonly string[]
  readonly callId: string
  readonly cseq: string
  readonly fromTag: string
  readonly toTag: string
  /** What Wireshark calls malformed, wrong or suspicious in it. */
  readonly findings: readonly string[]
}

export interface Capture {
  /** Ends it and reads it. */
  stop(): Promise<CapturedMessage[]>
}

/** Captures on the loopback interface what goes to and from these ports of the daemon, UDP and TCP. */
export async function startCapture(t: TestContext, { ports }: { readonly ports: readonly number[] }): Promise<Capture> {
  const file = join(await temporaryFolder(t), 'capture.pcapng')
  const marks = createSocket('udp4').bind(0, '127.0.0.1')
  await once(marks, 'listening')
  atEnd(t, () => marks.close())
  const markPort = marks.address().port

  const filter = [...ports.map((port) => `port ${port}`), `udp port ${markPort}`].join(' or ')
  const dumpcap = ['dumpcap', '-q', '-i', 'lo', '-B', String(KERNEL_BUFFER_MIB), '-f', filter, '-w', file]
  const { child, ended, stderr } = await start(dumpcap)
  const finish = async () => {
    child.kill('SIGINT')
    return ended
  }
  atEnd(t, finish)

  const mark = (text: string) => new Promise((sent) => marks.send(text, markPort, '127.0.0.1', sent))
  const isInFile = async (text: string) => (await readFile(file).catch(() => Buffer.alloc(0))).includes(text)
  const first = `capture of ${file} begins`
  await waitFor('the capture to begin', async () => mark(first).then(() => isInFile(first)), { state: stderr })

  return {
    async stop() {
      const last = `capture of ${file} ends`
      await mark(last)
      await waitFor('the end of the capture', () => isInFile(last), { state: stderr })
      const end = await finish()
      assert.match(end.stderr, /received\/dropped on interface .*: \d+\/0 /, 'frames were lost')
      return readMessages(file, ports)
    },
  }
}

/** A field of the dissection, or one with fields below it; several of one name are a list. */
type Tree = string | readonly Tree[] | { readonly [name: string]: Tree }

async function readMessages(file: string, ports: readonly number[]): Promise<CapturedMessage[]> {
  const asSip = ports.flatMap((port) => ['-d', `udp.port==${port},sip`, '-d', `tcp.port==${port},sip`])
  const only = `(${ports.map((port) => `udp.port==${port} || tcp.port==${port}`).join(' || ')}) && (sip || data)`
  const layers = 'frame ip ipv6 udp tcp sip data _ws.malformed'
  const command = ['tshark', '-r', file, ...asSip, '-Y', only, '-T', 'json', '--no-duplicate-keys', '-J', layers]
  const { code, stdout, stderr } = await run(command)
  assert.equal(code, 0, stderr)
  const frames: readonly { readonly _source: { readonly layers: Tree } }[] = JSON.parse(stdout)
  return frames.flatMap((frame) => messagesOf(frame._source.layers, ports))
}

/** The messages of one frame; what is not SIP counts as one with a finding. */
function messagesOf(layers: Tree, ports: readonly number[]): CapturedMessage[] {
  const [transport, udpOrTcp] = isTree(layers) && layers['udp'] !== undefined ? ['UDP', 'udp'] : ['TCP', 'tcp']
  const sourcePort = Number(textOf(layers, `${udpOrTcp}.srcport`))
  const isOurs = ports.includes(sourcePort)
  const [address, port] = isOurs ? ['dst', 'dstport'] : ['src', 'srcport']
  const host = textOf(layers, `ip.${address}`) || textOf(layers, `ipv6.${address}`)
  const shared = {
    frame: Number(textOf(layers, 'frame.number')),
    isOurs,
    peer: `${transport} ${host} ${textOf(layers, `${udpOrTcp}.${port}`)}`,
  }
  const broken = [
    ...(findAll(layers, '_ws.malformed').length > 0 ? ['malformed'] : []),
    ...wrongLength(textOf(layers, 'udp.payload'), textOf(layers, 'sip.Content-Length')),
  ]
  const messages = findAll(layers, 'sip')
  if (messages.length === 0) return [{ ...shared, ...messageOf(''), findings: ['not SIP', ...broken] }]
  return messages.map((sip) => ({ ...shared, ...messageOf(sip), findings: [...broken, ...expertFindings(sip)] }))
}

/** What Wireshark leaves out: whether a datagram has the body that it promises (RFC 3261 §18.3). */
function wrongLength(payload: string, contentLength: string): string[] {
  const bytes = Buffer.from(payload.replaceAll(':', ''), 'hex')
  const body = bytes.length - (bytes.indexOf('\r\n\r\n') + 4)
  if (contentLength === '' || Number(contentLength) === body) return []
  return payload === '' ? [] : [`Content-Length is ${contentLength}, the body has ${body} bytes`]
}

function messageOf(sip: Tree): Omit<CapturedMessage, 'frame' | 'isOurs' | 'peer' | 'findings'> {
  const status = textOf(sip, 'sip.Status-Code')
  return {
    method: textOf(sip, 'sip.Method') || null,
    status: status === '' ? null : Number(status),
    vias: findAll(sip, 'sip.Via_tree').map((via) =>
      ['sent-by.address', 'sent-by.port', 'branch'].map((part) => textOf(via, `sip.Via.${part}`)).join(' '),
    ),
    callId: textOf(sip, 'sip.Call-ID'),
    cseq: textOf(sip, 'sip.CSeq'),
    fromTag: textOf(sip, 'sip.from.tag'),
    toTag: textOf(sip, 'sip.to.tag'),
  }
}

/** Retransmissions are notes to Wireshark, which is right. */
function expertFindings(sip: Tree): string[] {
  return findAll(sip, '_ws.expert')
    .filter((expert) => Number(textOf(expert, '_ws.expert.severity')) >= WARNING)
    .map((expert) => textOf(expert, '_ws.expert.message'))
}

/** Everything of that name, in the order of the packet. */
function findAll(tree: Tree, name: string): Tree[] {
  if (typeof tree === 'string') return []
  if (!isTree(tree)) return tree.flatMap((one) => findAll(one, name))
  return Object.entries(tree).flatMap(([key, value]) => {
    if (key !== name) return findAll(value, name)
    return typeof value === 'string' || isTree(value) ? [value] : [...value]
  })
}

function textOf(tree: Tree, name: string): string {
  return findAll(tree, name).find((value) => typeof value === 'string') ?? ''
}

function isTree(tree: Tree): tree is { readonly [name: string]: Tree } {
  return typeof tree === 'object' && !Array.isArray(tree)
}

/**
 * Fails unless all that we sent is sound SIP in Wireshark's eyes and every response repeats the Vias, Call-ID, CSeq
 * and From tag of a request that the same peer had sent before, and has a To tag (RFC 3261 §8.2.6.2).
 */
export function assertWellFormed(messages: readonly CapturedMessage[]): void {
  const asked = new Set<string>()
  const wrong: string[] = []
  let answers = 0
  for (const message of messages) {
    if (!message.isOurs) {
      if (message.method !== null) asked.add(identityOf(message))
      continue
    }
    answers++
    const faults = [...message.findings, ...(asked.has(identityOf(message)) ? [] : ['answers no request'])]
    if (message.toTag === '' && message.status !== 100) faults.push('no To tag')
    if (faults.length > 0) wrong.push(`${faults.join(', ')}: ${JSON.stringify(message)}`)
  }
  assert.ok(answers > 0, 'we sent nothing')
  assert.equal(wrong.length, 0, `${wrong.length} of ${answers}:\n${wrong.slice(0, MOST_SHOWN).join('\n')}`)
}

function identityOf({ peer, vias, callId, cseq, fromTag }: CapturedMessage): string {
  return JSON.stringify([peer, vias, callId, cseq, fromTag])
}
