// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Extensions } from '../src/honeypot/extensions.ts'
import type { Persona } from '../src/honeypot/persona.ts'
import { freePort } from './free-ports.ts'
import type { Peer } from './peers.ts'
import { type Ended, run, start } from './run.ts'
import { sipRequest } from './sip-client.ts'
import { sipvicious } from './sipvicious.ts'
import { waitFor } from './wait-for.ts'

/** What the node passes for. */
export interface PretendedNode {
  readonly persona: Persona
  readonly extensions: Extensions
}

/** One run of somebody's tool: how it is called, what it says of us, and what has to be known of it afterwards. */
export interface Scan {
  readonly name: string
  readonly peer: Peer
  readonly host: '127.0.0.1' | '::1'
  readonly transport: 'UDP' | 'TCP' | 'TLS'
  readonly scan: (port: number, host: string) => Promise<Ended>
  readonly exitCode: number
  /** Its verdict, on whichever output it gives it. */
  readonly says: RegExp | ((node: PretendedNode) => RegExp)
  readonly flags?: readonly string[]
  /** Method and called number of each message, in any order; a retransmission counts once. */
  readonly messages: readonly (readonly [method: string, calledNumber: RegExp])[]
  readonly userAgent: RegExp
}

const FIRST_EXTENSIONS = Array.from({ length: 21 }, (_, index) => String(100 + index))
const SVWAR_MESSAGES = ['[0-9]{5,10}', ...FIRST_EXTENSIONS].map(
  (number) => ['REGISTER', RegExp(`^${number}$`)] as const,
)
const SIPP_MESSAGES = ['INVITE', 'INVITE', 'ACK', 'ACK', 'BYE', 'BYE'].map((method) => [method, /^service$/] as const)
const SIPVICIOUS = { transport: 'UDP', exitCode: 0, userAgent: /^friendly-scanner$/ } as const
const SIPP = { peer: 'sipp', exitCode: 0, messages: SIPP_MESSAGES, userAgent: /^NOT_FOUND$/ } as const
const SIPSAK = { peer: 'sipsak', exitCode: 0, host: '127.0.0.1', userAgent: /^sipsak 0\.\d+\.[\d.]+$/ } as const

/** Every tool over every transport and address family that it speaks. */
export const SCANS: readonly Scan[] = [
  ...(['127.0.0.1', '::1'] as const).flatMap((host): Scan[] => [
    {
      ...SIPVICIOUS,
      name: 'svmap finds us, and names the product that we pass for',
      peer: 'svmap',
      host,
      scan: (port) => sipvicious('svmap', host, port),
      says: ({ persona }) => new RegExp(`^\\| ${host}:\\d+ +\\| ${RegExp.escape(persona.agent[1])} *\\|$`, 'm'),
      messages: [['OPTIONS', /^100$/]],
    },
    {
      ...SIPVICIOUS,
      name: 'svwar finds the extensions that exist, and no others',
      peer: 'svwar',
      host,
      scan: (port) => sipvicious('svwar', host, port, ['-e100-120']),
      says: ({ extensions }) =>
        new RegExp(
          `^[^0-9]*${FIRST_EXTENSIONS.filter(extensions.exists)
            .map((one) => `\\| ${one} +\\| reqauth +\\|[^0-9]*`)
            .join('')}$`,
        ),
      messages: SVWAR_MESSAGES,
    },
    {
      ...SIPP,
      name: 'sipp completes its calls',
      host,
      transport: 'UDP',
      scan: sipp('u1', host),
      says: sippCompleted(),
    },
    {
      ...SIPP,
      name: 'sipp completes its calls',
      host,
      transport: 'TCP',
      scan: sipp('t1', host),
      says: sippCompleted(),
    },
    {
      name: 'openssl s_client gets an answer',
      peer: 'openssl',
      host,
      transport: 'TLS',
      scan: (port) => overTls(port, host),
      exitCode: 0,
      says: /^SIP\/2\.0 200 OK\r$/m,
      messages: [['OPTIONS', /^100$/]],
      userAgent: /^probe$/,
    },
  ]),
  ...(['UDP', 'TCP'] as const).map(
    (transport): Scan => ({
      ...SIPSAK, // takes no IPv6 address
      name: 'sipsak gets its OPTIONS answered',
      transport,
      scan: (port) => run(['sipsak', '-v', '-E', transport.toLowerCase(), '-s', `sip:100@127.0.0.1:${port}`]),
      says: /^SIP\/2\.0 200 OK/m,
      messages: [['OPTIONS', /^100$/]],
    }),
  ),
  {
    ...SIPSAK,
    name: 'sipsak registers with a password',
    transport: 'UDP',
    flags: ['--accept-after', '1'],
    scan: (port) => {
      const login = ['-u', '100', '-a', '1234', '-C', 'sip:me@127.0.0.1', '-x', '60']
      return run(['sipsak', '-v', '-U', ...login, '-s', `sip:100@127.0.0.1:${port}`])
    },
    says: /^All usrloc tests completed successful\.$/m,
    messages: [
      ['REGISTER', /^100$/],
      ['REGISTER', /^100$/],
    ],
  },
]

function sipp(transport: string, host: string): Scan['scan'] {
  const target = (port: number) => (host === '::1' ? `[::1]:${port}` : `127.0.0.1:${port}`)
  const calls = ['-m', '2', '-r', '10', '-d', '50', '-timeout', '20', '-timeout_error', '-nostdin']
  return async (port) => {
    const from = ['-i', host, '-p', String(await freePort(host))]
    return run(['sipp', '-sn', 'uac', target(port), ...from, '-t', transport, ...calls])
  }
}

/** In its last screen: the cumulative count. */
function sippCompleted(): RegExp {
  return /Successful call +\| +\d+ +\| +2 +\n.*Failed call +\| +\d+ +\| +0 /
}

/** s_client ends with its input, which stays open until the answer is there. */
async function overTls(port: number, host: string): Promise<Ended> {
  const target = host === '::1' ? `[::1]:${port}` : `127.0.0.1:${port}`
  const { child, ended, stdout } = await start(['openssl', 's_client', '-quiet', '-no_ign_eof', '-connect', target])
  child.stdin?.write(sipRequest({ callId: 'over-tls', transport: 'TLS' }))
  await waitFor('an answer over TLS', () => stdout().includes('\r\n\r\n'))
  child.stdin?.end()
  return ended
}
