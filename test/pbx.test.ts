// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'node:test'
import { createExtensions } from '../src/honeypot/extensions.ts'
import { createPersona, PERSONA_NAMES } from '../src/honeypot/persona.ts'
import { startBaresip } from './baresip.ts'
import { assertWellFormed, type CapturedMessage, startCapture } from './capture.ts'
import { type DaemonProcess, startDaemon, temporaryFolder } from './daemon-process.ts'
import { sqlite } from './evidence.ts'
import { freePort } from './free-ports.ts'
import { testWith } from './peers.ts'
import { run } from './run.ts'
import { sipvicious } from './sipvicious.ts'
import { waitFor } from './wait-for.ts'

const CALLS = 250
const CALLS_PER_S = 50

for (const [transport, mode] of [
  ['UDP', 'u1'],
  ['TCP', 't1'],
] as const) {
  const name = `sipp makes ${CALLS} calls over ${transport}, none fails and nothing has to be sent twice`

  testWith(['sipp', 'tshark'], name, async (t) => {
    const daemon = await startDaemon(t, { flags: ['-r'] })
    const capture = await startCapture(t, { ports: [daemon.port('UDP'), daemon.port('TCP')] })
    const statistics = join(await temporaryFolder(t), 'statistics.csv')
    const load = ['-m', String(CALLS), '-r', String(CALLS_PER_S)]
    const ends = ['-timeout', '60', '-timeout_error', '-nostdin', '-trace_stat', '-stf', statistics]
    const target = `127.0.0.1:${daemon.port(transport)}`
    const from = ['-i', '127.0.0.1', '-p', String(await freePort('127.0.0.1'))]
    const sipp = await run(['sipp', '-sn', 'uac', target, ...from, '-t', mode, ...load, ...ends], {
      withinMs: 70_000,
    })

    assert.deepEqual(await lastCounts(statistics), {
      'OutgoingCall(C)': CALLS,
      'SuccessfulCall(C)': CALLS,
      'FailedCall(C)': 0,
      'Retransmissions(C)': 0,
    })
    assert.equal(sipp.code, 0, sipp.stdout + sipp.stderr)
    const messages = await capture.stop()
    assertWellFormed(messages)
    assert.ok(messages.some(({ status }) => status === 180 || status === 183))
    for (const method of ['INVITE', 'BYE']) {
      const answers = messages.filter(({ cseq, status }) => status === 200 && cseq.endsWith(` ${method}`))
      assert.equal(answers.length, CALLS, method)
    }
  })
}

/** The cumulative counts on the last line of sipp's statistics. */
async function lastCounts(file: string): Promise<Record<string, number>> {
  const lines = (await readFile(file, 'latin1')).trimEnd().split('\n')
  const names = (lines[0] ?? '').split(';')
  const values = (lines.at(-1) ?? '').split(';')
  const count = (name: string) => [name, Number(values[names.indexOf(name)])] as const
  return Object.fromEntries(
    ['OutgoingCall(C)', 'SuccessfulCall(C)', 'FailedCall(C)', 'Retransmissions(C)'].map((name) => count(name)),
  )
}

suite('sipvicious and sipsak believe in every persona, and Wireshark finds nothing wrong with the answers', {
  concurrency: true,
}, () => {
  for (const name of PERSONA_NAMES) {
    testWith(['svmap', 'svwar', 'svcrack', 'sipsak', 'tshark', 'sqlite3'], name, async (t) => {
      const daemon = await startDaemon(t, { flags: ['-r', '--persona', name] })
      const port = daemon.port('UDP')
      const capture = await startCapture(t, { ports: [port] })
      const scan = (program: 'svmap' | 'svwar' | 'svcrack', flags: readonly string[] = []) =>
        sipvicious(program, '127.0.0.1', port, flags)
      const [{ value: seed } = assert.fail('no seed')] = await sqlite<{ value: string }>(
        join(daemon.folder, 'sentrypeer.db'),
        "SELECT value FROM sentrypeer WHERE name = 'seed'",
      )

      const found = await scan('svmap')
      assert.ok(found.stdout.includes(createPersona(name, seed).agent[1]), found.stdout + found.stderr)
      const extensions = await scan('svwar', ['-e100-120'])
      const existing = Array.from({ length: 21 }, (_, at) => String(100 + at)).filter(createExtensions(seed).exists)
      assert.deepEqual(extensions.stdout.match(/(?<=^\| )\d+(?= +\| reqauth +\|$)/gm), existing, extensions.stderr)
      const cracked = await scan('svcrack', ['-u100', '-r1000-1030'])
      assert.match(cracked.stdout, /^\| 100 +\| 10\d\d +\|$/m, cracked.stderr)
      const pinged = await run(['sipsak', '-s', `sip:100@127.0.0.1:${port}`])
      assert.equal(pinged.code, 0, pinged.stderr)
      await scan('svmap', ['-mINVITE'])
      await scan('svwar', ['-mINVITE', '-e100-105'])

      const messages = await capture.stop()
      assert.ok(messages.filter(({ isOurs }) => isOurs).length > 40)
      assertWellFormed(messages)
    })
  }
})

interface Row {
  readonly method: string
  readonly called_number: string
  readonly proof: string
  readonly auth_user: string | null
  readonly auth_realm: string | null
  readonly auth_response: string | null
  readonly auth_password: string | null
}

const NUMBER = '00442079460123' // of a range that is set aside for drama: nobody's

const WEAK = '1234'
const UNUSUAL = 'unusual-Xq7vR2'

suite('baresip registers, makes a call and hangs up', { concurrency: true }, () => {
  for (const [persona, transport, password] of [
    ['asterisk', 'udp', WEAK],
    ['kamailio', 'tcp', UNUSUAL],
    ['3cx', 'udp', UNUSUAL],
    ['cisco', 'tcp', WEAK],
    ['audiocodes', 'udp', WEAK],
  ] as const) {
    const keeps = password === WEAK ? 'the weak password is known then' : 'the unusual password is not known then'

    testWith(['baresip', 'tshark', 'sqlite3'], `with ${persona} over ${transport}, and ${keeps}`, async (t) => {
      const daemon = await startDaemon(t, { flags: ['-r', '--persona', persona, '--accept-after', '1'] })
      const capture = await startCapture(t, { ports: [daemon.port('UDP'), daemon.port('TCP')] })
      const port = daemon.port(transport === 'udp' ? 'UDP' : 'TCP')
      const phone = await startBaresip(t, { port, user: '100', password, transport })
      await phone.said(/registered successfully/)
      phone.command(`/dial ${NUMBER}`)
      await phone.said(/Call established: sip:00442079460123@/)
      phone.command('/hangup')
      await phone.said(/terminate call/)
      const rows = await rowsWith(daemon, ['REGISTER', 'INVITE', 'ACK', 'BYE'])
      const { code } = await phone.quit()
      assert.equal(code, 0, phone.output())

      const messages = await capture.stop()
      assertWellFormed(messages)
      assert.equal(statusesOf(messages, 'REGISTER'), '401 200 401 200') // it signs off without being asked for a password
      assert.match(statusesOf(messages, 'INVITE'), persona === '3cx' ? /^407 100 180 200$/ : /^100 18[03] 200$/)
      assert.equal(statusesOf(messages, 'BYE'), '200')

      const login = rows.find((row) => row.method === 'REGISTER' && row.auth_user !== null)
      const known = password === WEAK ? WEAK : null
      const proof = transport === 'udp' ? 'echo' : 'handshake'
      assert.deepEqual([login?.auth_user, login?.auth_password, login?.proof], ['100', known, proof])
      assert.match(login?.auth_realm ?? '', /./)
      assert.match(login?.auth_response ?? '', /^[0-9a-f]{32,128}$/)
      const call = rows.filter(({ method }) => ['INVITE', 'ACK', 'BYE'].includes(method))
      assert.deepEqual(new Set(call.map((row) => row.called_number)), new Set([NUMBER]))
      for (const row of call.filter(({ method }) => method !== 'INVITE')) assert.equal(row.proof, proof)
    })
  }
})

/** How we answered requests of this method, in order. */
function statusesOf(messages: readonly CapturedMessage[], method: string): string {
  const answers = messages.filter(({ status, cseq }) => status !== null && cseq.endsWith(` ${method}`))
  return answers.map(({ status }) => status).join(' ')
}

/** All rows, once there is one of each of these methods. */
async function rowsWith(daemon: DaemonProcess, methods: readonly string[]): Promise<Row[]> {
  return waitFor(`rows of ${methods}`, async () => {
    const rows = await sqlite<Row>(join(daemon.folder, 'sentrypeer.db'), 'SELECT * FROM honey ORDER BY honey_id')
    return methods.every((method) => rows.some((row) => row.method === method)) ? rows : null
  })
}

testWith(['baresip'], 'baresip hears the noise of a call that has some, from the port that we named', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-r', '--call-end', 'noise', '--accept-after', '1'] })
  const phone = await startBaresip(t, { port: daemon.port('UDP'), user: '100', password: WEAK })
  await phone.said(/registered successfully/)
  phone.command(`/dial ${NUMBER}`)
  await phone.said(/Call established/)
  await phone.said(/incoming rtp for 'audio' established, receiving from 127\.0\.0\.1:1\d{4}$/m)
  phone.command('/hangup')
  await phone.said(/terminate call/)
  await phone.quit()
})
