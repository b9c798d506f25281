// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { PersonaTraits } from '../persona.ts'
import type { SeededChoices } from '../seeded.ts'
import { domainName, hostName } from './realm.ts'

const KAMAILIO = ['5.2.8', '5.4.8', '5.5.7', '5.6.6', '5.7.4', '5.7.6', '5.8.2', '5.8.4', '5.8.6', '6.0.1'] as const
const OPENSIPS = ['2.4.11', '3.1.17', '3.2.10', '3.2.19', '3.3.10', '3.4.5', '3.4.9', '3.5.2', '3.6.0'] as const
const MACHINES = ['x86_64/linux', 'x86_64/linux', 'aarch64/linux'] as const

/** An edge proxy that hides the topology behind it: Kamailio in front of FreeSWITCH, or OpenSIPS. */
export function kamailio(choices: SeededChoices): PersonaTraits {
  const { integer, pick } = choices
  const shared = {
    style: {
      order: [
        ...['Via', 'Record-Route', 'To', 'From', 'Call-ID', 'CSeq', 'Contact', 'Expires', 'Accept', 'Accept-Encoding'],
        ...['Accept-Language', 'Supported', 'Allow', 'WWW-Authenticate', 'Proxy-Authenticate', 'Server'],
        ...['Content-Type', 'Content-Length'],
      ],
      contentLengthWidth: 0,
    },
    allow: 'ACK,BYE,CANCEL,INFO,INVITE,MESSAGE,NOTIFY,OPTIONS,PRACK,PUBLISH,REFER,REGISTER,SUBSCRIBE,UPDATE',
    unknownMethodStatus: 405,
    supported: null,
    accept: '*/*',
    realm: pick('realm', [domainName(choices), hostName(choices), domainName(choices)]),
    algorithms: ['MD5'],
    opaque: '{hex:16}',
    unknownUserStatus: 404,
    challengesInvite: false,
    inviteChallengeStatus: 407,
    ringing: 180,
    ringsAfterMs: integer('rings', 90, 280),
    answersAfterMs: integer('answers', 1400, 3800),
    registerHeaders: [],
  } as const
  const machine = pick('machine', MACHINES)
  return pick<PersonaTraits>('product', [
    {
      ...shared,
      agent: ['Server', `kamailio (${pick('version', KAMAILIO)} (${machine}))`],
      optionsHeaders: [['Accept-Language', 'en']],
      challenge: { separator: ', ', order: ['realm', 'nonce', 'stale', 'qop'], qop: true, opaque: false },
      tag: '{hex:32}.{hex:8}',
      shortTag: '{hex:8}.{hex:4}',
      nonce: '{base64:32}',
      shortNonce: '{base64:18}',
      contact: 'sip:{user}{host};line=sr-{token}{transport}',
      sdp: { owner: 'FreeSWITCH', session: 'FreeSWITCH', ptime: true },
    },
    {
      ...shared,
      agent: ['Server', `OpenSIPS (${pick('version', OPENSIPS)} (${machine}))`],
      optionsHeaders: [],
      challenge: { separator: ', ', order: ['realm', 'nonce', 'qop', 'stale'], qop: true, opaque: false },
      tag: '{hex:4}.{hex:32}',
      shortTag: '{hex:4}.{hex:8}',
      nonce: '{base64:44}',
      shortNonce: '{base64:18}',
      contact: 'sip:{host}{transport};thinfo={token}',
      sdp: { owner: 'root', session: 'session', ptime: false },
    },
  ])
}
