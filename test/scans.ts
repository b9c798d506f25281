// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Peer } from './peers.ts'
import { type Ended, run, start } from './run.ts'
import { sipRequest } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

/** One run of somebody's tool: how it is called, what it says of us, and what has to be known of it afterwards. */
export interface Scan {
  readonly name: string
  readonly peer: Peer
  readonly host: '127.0.0.1' | '::1'
  readonly transport: 'UDP' | 'TCP' | 'TLS'
  readonly scan: (port: number, host: string) => Promise<Ended>
  readonly exitCode: number
  /** Its verdict, on whichever output it gives it. */
  readonly says: RegExp
  /** Method and called number of each message, in any order; a retransmission counts once. */
  readonly messages: readonly (readonly [method: string, calledNumber: RegExp])[]
  readonly userAgent: RegExp
}

const SVWAR_MESSAGES = ['[0-9]{5,10}', '100', '101', '102'].map(
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
      name: 'svmap finds us',
      peer: 'svmap',
      host,
      scan: (port) => run(['svmap', ...family(host), `-p${port}`, host]),
      says: new RegExp(`^\\| ${host}:\\d+ +\\| unknown +\\|$`, 'm'),
      messages: [['OPTIONS', /^100$/]],
    },
    {
      ...SIPVICIOUS,
      // Every extension, the random one of its first question too, gets the same 200: no extension stands out.
      name: 'svwar, whom everything is answered alike, finds no extension',
      peer: 'svwar',
      host,
      scan: (port) => run(['svwar', ...family(host), `-p${port}`, '-e100-102', host]),
      says: /WARNING:root:found nothing/,
      messages: SVWAR_MESSAGES,
    },
    {
      ...SIPVICIOUS,
      name: 'svcrack believes that extension 100 has no password',
      peer: 'svcrack',
      host,
      scan: (port) => run(['svcrack', ...family(host), `-p${port}`, '-u100', '-r100-105', host]),
      says: /^\| 100 +\| \[no password\] +\|$/m,
      messages: [['REGISTER', /^100$/]],
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
    name: 'sipsak registers',
    transport: 'UDP',
    scan: (port) =>
      run(['sipsak', '-v', '-U', '-C', 'sip:me@127.0.0.1', '-x', '60', '-s', `sip:100@127.0.0.1:${port}`]),
    says: /^All usrloc tests completed successful\.$/m,
    messages: [['REGISTER', /^100$/]],
  },
]

function family(host: string): string[] {
  return host === '::1' ? ['-6'] : []
}

function sipp(transport: string, host: string): Scan['scan'] {
  const target = (port: number) => (host === '::1' ? `[::1]:${port}` : `127.0.0.1:${port}`)
  const calls = ['-m', '2', '-r', '10', '-d', '50', '-timeout', '20', '-timeout_error', '-nostdin']
  return (port) => run(['sipp', '-sn', 'uac', target(port), '-i', host, '-t', transport, ...calls])
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
