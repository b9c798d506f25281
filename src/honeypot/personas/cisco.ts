// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { PersonaTraits } from '../persona.ts'
import type { SeededChoices } from '../seeded.ts'
import { domainName, hostName } from './realm.ts'

const IOS = [
  ...(['15.2.4.M3', '15.3.3.M6', '15.4.3.M8', '15.5.3.M10', '15.6.3.M9', '15.7.3.M8', '15.8.3.M7'] as const),
  ...(['15.9.3.M6', '16.6.1', '16.9.8', '16.12.5', '17.3.4a', '17.6.5', '17.9.4', '17.12.4'] as const),
] as const

/** A Cisco voice gateway with IOS or IOS XE: the telephone network is behind it, so calls progress with 183. */
export function cisco(choices: SeededChoices): PersonaTraits {
  const { integer, pick } = choices
  return {
    style: {
      order: [
        ...['Via', 'From', 'To', 'Date', 'Call-ID', 'Server', 'CSeq', 'WWW-Authenticate', 'Proxy-Authenticate'],
        ...['Supported', 'Allow', 'Accept', 'Allow-Events', 'Contact', 'Expires', 'Record-Route'],
        ...['Content-Type', 'Content-Length'],
      ],
      contentLengthWidth: 0,
    },
    agent: ['Server', `Cisco-SIPGateway/IOS-${pick('version', IOS)}`],
    allow: 'INVITE, OPTIONS, BYE, CANCEL, ACK, PRACK, UPDATE, REFER, NOTIFY, SUBSCRIBE, INFO, REGISTER',
    unknownMethodStatus: 405,
    supported: '100rel,timer,replaces,sdp-anat',
    accept: 'application/sdp',
    optionsHeaders: [['Allow-Events', 'telephone-event']],
    realm: pick('realm', [hostName(choices), domainName(choices), domainName(choices)]),
    algorithms: ['MD5'],
    challenge: { separator: ',', order: ['realm', 'qop', 'algorithm', 'nonce', 'stale'], qop: true, opaque: false },
    tag: '{HEX:8}-{HEX:16}',
    shortTag: '{HEX:7}-{HEX:3}',
    nonce: '{HEX:32}',
    shortNonce: '{HEX:26}',
    opaque: '{HEX:8}',
    unknownUserStatus: 404,
    challengesInvite: false,
    inviteChallengeStatus: 401,
    ringing: 183,
    ringsAfterMs: integer('rings', 30, 120),
    answersAfterMs: integer('answers', 1800, 4000),
    contact: 'sip:{user}{host}{transport}',
    sdp: { owner: 'CiscoSystemsSIP-GW-UserAgent', session: 'SIP Call', ptime: true },
    registerHeaders: [],
  }
}
