// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { suite, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { atEnd } from './at-end.ts'
import { startDaemon } from './daemon-process.ts'
import { answeredIn, sipRequest } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

/*
 * A forged source gets what we answer, so for no request may that be much more than was sent in its name. Each kind of
 * request comes from an address of its own, which has an account of its own, and none of them ever reads an answer.
 */

// What ARCHITECTURE.md promises ("Replies pay for what they exceed").
const WINDOW_MS = 10_000
const WINDOW_EXCESS_BYTES = 600
const BURST_EXCESS_BYTES = 400
const EXCESS_BYTES_PER_S = 20
const BURST_REPLIES = 100
const REPLIES_PER_S = 50
const TYPICAL_REQUEST_BYTES = 350
const MOST_TIMES_REQUEST = 1.5

const BURST = 20
const TRICKLE_EVERY_MS = 300
const TRICKLE_MS = 12_000 // longer than a window
const PIECE = 20
const FLOOD = 10_000
const ANSWER_WITHIN_MS = 2_000 // what comes later, or for nothing, is sent unasked

const METHODS = [
  ...['INVITE', 'ACK', 'CANCEL', 'OPTIONS', 'BYE', 'REGISTER', 'SUBSCRIBE', 'NOTIFY', 'PUBLISH', 'INFO', 'REFER'],
  ...['MESSAGE', 'PRACK', 'UPDATE', 'FOO'],
]
const OFFER = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n'

interface Kind {
  readonly name: string
  readonly write: Writer
  readonly answered: 'at least once' | 'never' | 'perhaps'
}

type Writer = (callId: string) => string | Buffer

const KINDS: readonly Kind[] = [
  ...METHODS.map((method): Kind => {
    const write = (callId: string) => sipRequest({ method, callId })
    return { name: method, write, answered: method === 'ACK' ? 'never' : 'at least once' }
  }),
  {
    name: 'INVITE with an offer',
    write: (callId) => withOffer(sipRequest({ method: 'INVITE', callId, body: OFFER })),
    answered: 'at least once',
  },
  {
    name: 'REGISTER with a password',
    write: (callId) => withLogin(sipRequest({ method: 'REGISTER', callId })),
    answered: 'at least once',
  },
  { name: 'truncated request', write: (callId) => sipRequest({ callId }).slice(0, 150), answered: 'never' },
  {
    name: 'request with two CSeq',
    write: (callId) => sipRequest({ callId }).replace('CSeq:', 'CSeq: 2 OPTIONS\r\nCSeq:'),
    answered: 'perhaps',
  },
  {
    name: 'request of another version',
    write: (callId) => sipRequest({ callId }).replace('SIP/2.0', 'SIP/7.0'),
    answered: 'perhaps',
  },
  {
    name: 'response',
    write: (callId) => sipRequest({ callId }).replace(/^.*/, 'SIP/2.0 200 OK'),
    answered: 'never',
  },
  { name: 'garbage', write: () => Buffer.alloc(300, 0xfe), answered: 'never' },
  { name: 'byte', write: () => 'x', answered: 'never' },
]

function withOffer(request: string): string {
  return request.replace('Content-Length', 'Content-Type: application/sdp\r\nContent-Length')
}

function withLogin(request: string): string {
  const digest = `username="100", realm="asterisk", nonce="0123456789", uri="sip:100@127.0.0.1", response="${'0'.repeat(32)}"`
  return request.replace('Content-Length', `Authorization: Digest ${digest}\r\nContent-Length`)
}

suite('no request makes more of itself', { concurrency: true }, () => {
  for (const persona of ['asterisk', 'kamailio', '3cx', 'cisco', 'audiocodes']) {
    test(`for the persona ${persona}`, async (t) => {
      const daemon = await startDaemon(t, { flags: ['-r', '--persona', persona] })
      const port = daemon.port('UDP')
      const sources = await Promise.all(
        KINDS.flatMap(({ name, write, answered }, row) => [
          openSource(t, { port, row, column: 1, name: `${name} in a burst`, write, answered }),
          openSource(t, { port, row, column: 2, name: `the same ${name} in a burst`, write: same(write), answered }),
          openSource(t, { port, row, column: 3, name: `${name} in a trickle`, write, answered }),
          openSource(t, { port, row, column: 4, name: `the same ${name} in a trickle`, write: same(write), answered }),
        ]),
      )
      const bursts = sources.filter((_, at) => at % 4 < 2)
      const trickles = sources.filter((_, at) => at % 4 >= 2)

      for (const source of bursts) for (let count = 0; count < BURST; count++) source.send()
      const pace = setInterval(() => {
        for (const source of trickles) source.send()
      }, TRICKLE_EVERY_MS)
      await delay(TRICKLE_MS) // a window of time is what is measured
      clearInterval(pace)

      const failures = [
        ...sources.flatMap(checkWindows),
        ...sources.flatMap(checkReplySizes),
        ...bursts.flatMap(checkBurst),
        ...sources.flatMap(checkSilence),
      ]
      assert.deepEqual(failures, [])
    })
  }
})

test('a flood from one address gets a hundred replies and then fifty a second', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-r'] })
  // Longer than any reply, so that it is their number that is bounded and not their bytes.
  const write = (callId: string) => sipRequest({ callId, agent: 'x'.repeat(600) })
  const source = await openSource(t, {
    port: daemon.port('UDP'),
    row: 1,
    column: 1,
    name: 'flood',
    write,
    answered: 'perhaps',
  })
  const startedMs = performance.now()
  await waitFor('the burst of replies', () => {
    for (let count = 0; count < PIECE; count++) source.send() // a whole flood at once may not fit into a busy receiver's buffer
    return source.replies.length >= BURST_REPLIES
  })
  for (let count = 0; count < FLOOD; count++) source.send()
  await delay(2_000) // the time in which fifty a second are counted
  const elapsedS = (performance.now() - startedMs) / 1000
  const most = BURST_REPLIES + REPLIES_PER_S * elapsedS
  assert.ok(source.replies.length <= most, `${source.replies.length} replies in ${elapsedS} s`)
})

/** The same request each time. */
function same(write: Writer): Writer {
  return () => write('again')
}

interface Sent {
  readonly atMs: number
  readonly bytes: number
  readonly callId: string
}

interface Received {
  /** When it came; for the answer to a request, when that was sent, since the two are charged as one. */
  readonly atMs: number
  readonly bytes: number
  readonly status: number
}

interface Source extends Pick<Kind, 'name' | 'answered'> {
  readonly sent: readonly Sent[]
  readonly replies: readonly Received[]
  send(): void
}

interface SourceOptions extends Kind {
  readonly port: number
  readonly row: number
  readonly column: number
}

/** A socket at an address of its own: 127.COLUMN.0.ROW. */
async function openSource(t: TestContext, options: SourceOptions): Promise<Source> {
  const { port, row, column, name, write, answered } = options
  const socket = createSocket('udp4')
  const sent: Sent[] = []
  const replies: Received[] = []
  const unanswered = new Map<string, number[]>()
  socket.on('message', (bytes) => {
    const text = bytes.toString('latin1')
    const nowMs = performance.now()
    const askedAtMs = unanswered.get(answeredIn(text)[0] ?? '')?.pop() ?? 0
    const atMs = nowMs - askedAtMs < ANSWER_WITHIN_MS ? askedAtMs : nowMs
    replies.push({ atMs, bytes: bytes.length, status: Number(text.slice('SIP/2.0 '.length, 11)) })
  })
  socket.bind(0, `127.${column}.0.${row + 1}`)
  await once(socket, 'listening')
  atEnd(t, () => socket.close())
  return {
    name,
    answered,
    sent,
    replies,
    send() {
      const callId = `${column}-${row}-${sent.length}`
      const message = write(callId)
      const atMs = performance.now()
      sent.push({ atMs, bytes: message.length, callId })
      const key = typeof message === 'string' ? (/^Call-ID: (.*)\r$/m.exec(message)?.[1] ?? '') : ''
      const times = unanswered.get(key)
      if (times === undefined) unanswered.set(key, [atMs])
      else times.push(atMs)
      socket.send(message, port, '127.0.0.1', () => {})
    },
  }
}

/** Over any ten seconds, whatever they begin with. */
function checkWindows({ name, sent, replies }: Source): string[] {
  const begins = [...sent, ...replies].map(({ atMs }) => atMs)
  const excesses = begins.map((beginMs) => {
    const within = ({ atMs }: { readonly atMs: number }) => atMs >= beginMs && atMs < beginMs + WINDOW_MS
    return total(replies.filter(within)) - total(sent.filter(within))
  })
  const most = Math.max(...excesses)
  return most <= WINDOW_EXCESS_BYTES ? [] : [`${name}: ${most} bytes more than were sent, in ten seconds`]
}

function checkBurst({ name, sent, replies }: Source): string[] {
  const begunMs = sent[0]?.atMs ?? 0
  const allowed = BURST_EXCESS_BYTES + EXCESS_BYTES_PER_S // what comes within one second
  const excess = total(replies.filter(({ atMs }) => atMs < begunMs + 1_000)) - total(sent)
  return excess <= allowed ? [] : [`${name}: ${excess} bytes more than were sent, at once`]
}

function checkReplySizes({ name, sent, replies }: Source): string[] {
  const longest = Math.max(TYPICAL_REQUEST_BYTES, ...sent.map(({ bytes }) => bytes)) * MOST_TIMES_REQUEST
  const tooLong = replies.filter(({ bytes }) => bytes > longest)
  return tooLong.map(({ bytes }) => `${name}: a reply of ${bytes} bytes, ${longest} are allowed`)
}

/** Who is unproven gets no 1xx, and nobody an answer to what has none. */
function checkSilence({ name, answered, replies }: Source): string[] {
  const failures = replies.filter(({ status }) => status < 200).map(({ status }) => `${name}: a ${status}`)
  if (answered === 'never' && replies.length > 0) failures.push(`${name}: ${replies.length} replies`)
  if (answered === 'at least once' && replies.length === 0) failures.push(`${name}: no answer at all`)
  return failures
}

function total(datagrams: readonly { readonly bytes: number }[]): number {
  return datagrams.reduce((sum, { bytes }) => sum + bytes, 0)
}
