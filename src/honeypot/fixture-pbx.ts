// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { BadActorEvent } from '../event/event.ts'
import { type IpAddress, parseIp } from '../net/ip.ts'
import type { Packet } from '../net/packet.ts'
import { isAnswerable, parseMessage } from '../sip/parse.ts'
import { createReplyBudget, type ReplyBudget } from './budget.ts'
import type { CallEnd, OpenMedia } from './calls.ts'
import { createCredentialCapture, createLoginAttempts } from './credentials.ts'
import { createDialogs } from './dialogs.ts'
import { type Extensions, listedExtensions } from './extensions.ts'
import { createObserver } from './observe.ts'
import { createPersona, type Persona } from './persona.ts'
import { createSourceProof, tokenLook } from './proof.ts'
import { createResponder } from './respond.ts'
import { createSender, type SenderOptions } from './send.ts'
import type { Timers } from './timers.ts'
import { createTransactions } from './transactions.ts'

export interface TestPbxOptions {
  readonly secret?: string
  readonly persona?: Persona
  /** As `--extensions` has them. */
  readonly extensions?: string
  readonly acceptAfter?: number
  readonly weakPasswords?: readonly string[]
  readonly callEnd?: CallEnd
  readonly openMedia?: OpenMedia
  readonly budget?: ReplyBudget
  readonly sending?: Partial<SenderOptions>
}

/** What became of one packet so far; more replies may come as time passes. */
export interface Received {
  /** Null for a keep-alive. */
  readonly event: BadActorEvent | null
  readonly isRetransmission: boolean
  /** Texts of the replies, one character a byte. */
  readonly replies: readonly string[]
}

/** A PBX of the tests: all of ours but the sockets, the store and the clock. */
export interface TestPbx {
  /** A datagram from 192.0.2.1:5071 unless `from` says else, stored at once. */
  receive(message: string | Buffer, from?: Partial<Packet>): Received
  /** Lets time pass; what falls due happens. Waits for what is asynchronous. */
  pass(ms: number): Promise<void>
  /** Why replies were held back. */
  readonly suppressed: readonly string[]
  /** Everything sent so far. */
  readonly sent: readonly string[]
  /** Ends calls and transactions, and says how many timers are left. */
  stop(): number
}

/** With tags of its own in all answers. */
export const ASTERISK: Persona = { ...createPersona('asterisk', '00'), repeatsBranchAsTag: false }

export function createTestPbx(options: TestPbxOptions = {}): TestPbx {
  const { persona = ASTERISK, extensions = '100-104', acceptAfter = 3, callEnd = 'answer', sending = {} } = options
  const time = createTestTime()
  const steadyMs = time.nowMs
  const suppressed: string[] = []
  const sent: string[] = []
  const proof = createSourceProof({
    secret: options.secret ?? 'secret',
    look: tokenLook(persona),
    wallMs: steadyMs,
    steadyMs,
    randomBytes,
  })
  const sender = createSender({
    budget: options.budget ?? createReplyBudget(steadyMs, 7),
    isProven: proof.isProven,
    isOwnSocket: () => false,
    isNeverAnswered: () => false,
    onSent: () => {},
    onSuppressed: (why) => suppressed.push(why),
    ...sending,
  })
  const transactions = createTransactions({
    timers: time.timers,
    send: sender.send,
    onRetransmitted: () => {},
    onDropped: () => {},
  })
  const dialogs = createDialogs(steadyMs)
  const respond = createResponder({
    persona,
    extensions: extensionsOf(extensions),
    attempts: createLoginAttempts({ acceptAfter, steadyMs }),
    proof,
    sender,
    transactions,
    dialogs,
    timers: time.timers,
    callEnd,
    openMedia: options.openMedia ?? (async () => null),
  })
  const observe = createObserver({
    nodeId: '0194b2f0-0000-8000-8000-000000000001',
    collectedMethod: 'responsive',
    newEventUuid: () => '0194b2f0-0000-7000-8000-000000000002',
    timestamp: () => '2025-06-01 12:00:00.000000000',
    shownBy: proof.shownBy,
    captureCredentials: createCredentialCapture({
      realm: persona.realm,
      weakPasswords: options.weakPasswords ?? ['1234'],
      steadyMs,
      onSkipped: () => {},
    }),
  })

  return {
    suppressed,
    sent,
    receive(message, from = {}) {
      const replies: string[] = []
      const reply = (bytes: Buffer) => {
        replies.push(bytes.toString('latin1'))
        return sent.push(bytes.toString('latin1')) > 0
      }
      const packet = packetOf(message, { reply, ...from })
      const parsed = parseMessage(packet.bytes)
      if (parsed.kind === 'keep-alive') return { event: null, isRetransmission: false, replies }
      const request = parsed.kind === 'fault' ? parsed.message : parsed
      const answerable = request?.kind === 'request' && isAnswerable(request)
      const arrival = answerable ? transactions.arrive(packet, request) : null
      if (arrival?.kind === 'retransmission') return { event: null, isRetransmission: true, replies }
      const event = observe(packet, parsed)
      respond(packet, parsed, event.credentials, arrival?.transaction ?? null)
      return { event, isRetransmission: false, replies }
    },
    pass: time.pass,
    stop() {
      transactions.stop()
      dialogs.stop()
      return time.running()
    },
  }
}

/** A datagram to 203.0.113.5:5060. */
export function packetOf(message: string | Buffer, from: Partial<Packet> = {}): Packet {
  return {
    transport: 'UDP',
    sourceIp: address('192.0.2.1'),
    sourcePort: 5071,
    destinationIp: address('203.0.113.5'),
    destinationPort: 5060,
    bytes: typeof message === 'string' ? Buffer.from(message, 'latin1') : message,
    complete: true,
    done() {},
    reply: () => assert.fail('nothing is sent before its event is stored'),
    ...from,
  }
}

export function address(text: string): IpAddress {
  return parseIp(text) ?? assert.fail(text)
}

function extensionsOf(list: string): Extensions {
  const listed = listedExtensions(list)
  return listed.kind === 'fault' ? assert.fail(listed.detail) : listed.extensions
}

interface TestTime {
  readonly timers: Timers
  nowMs(): number
  running(): number
  pass(ms: number): Promise<void>
}

/** A clock that only moves when told to, and the timers that hang on it. */
function createTestTime(): TestTime {
  let nowMs = 1_700_000_000_000
  const waiting = new Set<{ readonly dueMs: number; readonly run: () => void }>()
  const nextDue = (untilMs: number) =>
    [...waiting].filter(({ dueMs }) => dueMs <= untilMs).sort((one, other) => one.dueMs - other.dueMs)[0]
  return {
    nowMs: () => nowMs,
    running: () => waiting.size,
    timers: {
      after(ms, run) {
        const wait = { dueMs: nowMs + ms, run }
        waiting.add(wait)
        return () => void waiting.delete(wait)
      },
    },
    async pass(ms) {
      const untilMs = nowMs + ms
      for (let due = nextDue(untilMs); due !== undefined; due = nextDue(untilMs)) {
        nowMs = due.dueMs
        waiting.delete(due)
        due.run()
        await new Promise(setImmediate) // what it began asynchronously
      }
      nowMs = untilMs
    },
  }
}
