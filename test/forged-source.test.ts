// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type DaemonProcess, startDaemon } from './daemon-process.ts'
import { type HoneyRow, honeyRows } from './evidence.ts'
import { createHosts, type Host, type HostSocket, openHostSocket } from './hosts.ts'
import { testWith } from './peers.ts'
import { run } from './run.ts'
import { waitFor } from './wait-for.ts'

// A forger sends from another's address, whose owner gets the answers. The forger sees none of them: that is what tells
// the two apart.

const SIP_PORT = 5060
const API = '127.0.0.1:8082' // of a network of its own: taken by nobody
const EXCESS_BYTES = 600 // ARCHITECTURE.md: what a source may get beyond what it sent, in any 10 s
const FORGING_MS = 9_500 // with the last of it no more than 10 s
const FORGED_EVERY_MS = 250

testWith(
  ['namespaces', 'python3', 'sipsak', 'sqlite3'],
  'only who reads our answers is proven and blocked, and a forged address gets no flood',
  async (t) => {
    const hosts = await createHosts(t)
    const { node, caller, victim } = hosts
    const daemon = await startDaemon(t, {
      enter: node.enter,
      sip: [`${node.address}:${SIP_PORT}`],
      api: API,
      flags: ['-r', '--public-range', '198.18.0.0/15'],
    })

    const answers = await callHonestly(t, hosts)
    const honest = await rowsOf(daemon, caller, 'BYE')
    assert.deepEqual(proofsOf(honest, 'REGISTER'), ['none', 'echo'])
    assert.deepEqual(proofsOf(honest, 'BYE'), ['echo'])
    assert.equal(await bestProof(node, caller), 'echo')

    const { sentBytes, receivedBytes } = await forge(t, hosts, answers)
    const forged = await rowsOf(daemon, victim, 'last')
    assert.deepEqual(new Set(forged.map(({ proof }) => proof)), new Set(['none']))
    assert.equal(await bestProof(node, victim), 'none')
    assert.ok(receivedBytes > 0, 'the victim hears nothing at all: the network is broken')
    assert.ok(receivedBytes <= sentBytes + EXCESS_BYTES, `${receivedBytes} bytes for ${sentBytes}`)

    assert.equal(await ask(node, '/ip-addresses/ipset'), `${caller.address}\n`)

    const uri = `sip:100@${node.address}:${SIP_PORT}`
    const sipsak = await run(caller.enter(['sipsak', '-v', '-E', 'tcp', '-s', uri]))
    assert.match(sipsak.stdout, /^SIP\/2\.0 200 /m)
    assert.deepEqual(proofsOf(await rowsOf(daemon, caller, 'OPTIONS'), 'OPTIONS'), ['handshake'])
    assert.equal(await bestProof(node, caller), 'handshake')
  },
)

/** What an honest caller was told, and a forger would have to know. */
interface Answers {
  readonly toTag: string
  readonly nonce: string
}

/** Registers with what the challenge says, calls, and hangs up. */
async function callHonestly(t: TestContext, { node, caller }: { node: Host; caller: Host }): Promise<Answers> {
  const socket = await socketOf(t, caller, node, caller.address)
  const challenge = await askedOn(socket, request(socket, 'REGISTER', { callId: 'honest-login' }), 401)
  const nonce = /nonce="([^"]+)"/.exec(challenge)?.[1] ?? assert.fail(challenge)
  const realm = /realm="([^"]+)"/.exec(challenge)?.[1] ?? assert.fail(challenge)
  socket.send(request(socket, 'REGISTER', { callId: 'honest-login', cseq: 2, login: { realm, nonce } }))

  const answer = await askedOn(socket, request(socket, 'INVITE', { callId: 'honest-call' }), 200)
  const toTag = /^To: .*;tag=([^;\s]+)/m.exec(answer)?.[1] ?? assert.fail(answer)
  socket.send(request(socket, 'ACK', { callId: 'honest-call', toTag }))
  await askedOn(socket, request(socket, 'BYE', { callId: 'honest-call', cseq: 2, toTag }), 200)
  return { toTag, nonce }
}

/**
 * For almost ten seconds: calls, acknowledgements, hang-ups and logins from the victim's address, some with what the forger
 * makes up and some with what we told somebody else. Gives what was sent in that name, and what came to the victim.
 */
async function forge(t: TestContext, { node, victim, forger }: Awaited<ReturnType<typeof createHosts>>, told: Answers) {
  const sink = await socketOf(t, victim, node, victim.address)
  const socket = await socketOf(t, forger, node, victim.address)
  const guessed = { toTag: hash('sha256', 'guessed', 'hex').slice(0, 24), nonce: hash('sha256', 'guessed') }
  const realm = 'asterisk'
  const until = performance.now() + FORGING_MS
  for (let call = 1; performance.now() < until; call++) {
    const name = call % 2 === 0 ? 'honest' : `forged-${call}` // the honest dialog, word for word, or one of its own
    const { toTag, nonce } = call % 2 === 0 ? told : guessed
    const dialog = { callId: `${name}-call`, cseq: call }
    socket.send(request(socket, 'INVITE', dialog))
    socket.send(request(socket, 'ACK', { ...dialog, toTag }))
    socket.send(request(socket, 'BYE', { ...dialog, cseq: call + 1, toTag }))
    socket.send(request(socket, 'REGISTER', { callId: `${name}-login`, cseq: call, login: { realm, nonce } }))
    await delay(FORGED_EVERY_MS) // the pace of the forger, no wait for anything
  }
  const measured = { sentBytes: socket.sentBytes(), receivedBytes: sink.receivedBytes() }
  socket.send(request(socket, 'MESSAGE', { callId: 'last', number: 'last' }))
  return measured
}

function socketOf(t: TestContext, host: Host, node: Host, address: string): Promise<HostSocket> {
  return openHostSocket(t, host, { address, port: SIP_PORT }, { address: node.address, port: SIP_PORT })
}

interface Parts {
  readonly callId: string
  readonly cseq?: number
  readonly number?: string
  readonly toTag?: string
  readonly login?: { readonly realm: string; readonly nonce: string }
}

function request({ from }: HostSocket, method: string, parts: Parts): string {
  const { callId, cseq = 1, number = '100', toTag, login } = parts
  const uri = `sip:${number}@198.18.0.1`
  const body =
    method === 'INVITE'
      ? 'v=0\r\no=- 1 1 IN IP4 198.18.0.2\r\ns=-\r\nc=IN IP4 198.18.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n'
      : ''
  return [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/UDP ${from};branch=z9hG4bK-${method}-${callId}-${cseq};rport`,
    'Max-Forwards: 70',
    `From: <sip:100@198.18.0.1>;tag=${callId}`,
    `To: <${uri}>${toTag === undefined ? '' : `;tag=${toTag}`}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} ${method}`,
    `Contact: <sip:100@${from}>`,
    ...(login === undefined ? [] : [`Authorization: ${digest(method, uri, login)}`]),
    ...(body === '' ? [] : ['Content-Type: application/sdp']),
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n')
}

/** RFC 2617 §3.2.2 without qop. */
function digest(method: string, uri: string, { realm, nonce }: { realm: string; nonce: string }): string {
  const response = hash('md5', `${hash('md5', `100:${realm}:1234`)}:${nonce}:${hash('md5', `${method}:${uri}`)}`)
  return `Digest username="100", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}"`
}

/** Sends a request and resolves with the answer of that status. */
async function askedOn(socket: HostSocket, datagram: string, status: number): Promise<string> {
  const { length } = socket.received()
  socket.send(datagram)
  const state = () => socket.received().slice(length).join('\n')
  return waitFor(
    `a ${status}`,
    () =>
      socket
        .received()
        .slice(length)
        .find((answer) => answer.startsWith(`SIP/2.0 ${status} `)),
    { state },
  )
}

/** All rows of that host, once there is one of this method or for this number. */
async function rowsOf(daemon: DaemonProcess, { address }: Host, last: string): Promise<HoneyRow[]> {
  return waitFor(`a row of ${last}`, async () => {
    const rows = await honeyRows(join(daemon.folder, 'sentrypeer.db'))
    const own = rows.filter(({ source_ip }) => source_ip === address)
    return own.some(({ method, called_number }) => method === last || called_number === last) ? own : null
  })
}

function proofsOf(rows: readonly HoneyRow[], method: string): string[] {
  return rows.filter((row) => row.method === method).map(({ proof }) => proof)
}

async function bestProof(node: Host, { address }: Host): Promise<string> {
  return JSON.parse(await ask(node, `/ip-addresses/${address}`)).proof
}

/** What the API says, asked on the node's own loopback interface. */
async function ask(node: Host, path: string): Promise<string> {
  const fetching = 'process.stdout.write(await (await fetch(process.argv[1])).text())'
  const command = [process.execPath, '--input-type=module', '-e', fetching, `http://${API}${path}`]
  const { code, stdout, stderr } = await run(node.enter(command))
  assert.equal(code, 0, stderr)
  return stdout
}
