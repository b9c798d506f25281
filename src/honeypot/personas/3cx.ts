// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { PersonaTraits } from '../persona.ts'
import type { SeededChoices } from '../seeded.ts'
import { domainName, hostName } from './realm.ts'

const VERSIONS = [
  ...(['15.5.15502.6 (15502)', '16.0.7.1078 (1078)', '16.0.8.9 (9)', '18.0.1.234 (234)', '18.0.2.315 (315)'] as const),
  ...(['18.0.3.461 (461)', '18.0.4.965 (965)', '18.0.5.418 (418)', '18.0.6.908 (908)', '18.0.7.312 (312)'] as const),
  ...(['18.0.8.994 (994)', '18.0.9.20 (20)', '20.0.1.700 (700)', '20.0.2.790 (790)', '20.0.3.884 (884)'] as const),
  ...(['20.0.4.582 (582)', '20.0.5.551 (551)', '20.0.6.724 (724)', '20.0.7.1080 (1080)', '20.0.9.995 (995)'] as const),
] as const

/** 3CX. Header order is that of its reSIProcate stack; it lets nobody call who has not logged in. */
export function threeCx(choices: SeededChoices): PersonaTraits {
  const { integer, pick } = choices
  return {
    style: {
      order: [
        ...['Via', 'Record-Route', 'Proxy-Authenticate', 'Require', 'Contact', 'To', 'From', 'Call-ID', 'CSeq'],
        ...['Expires', 'Accept', 'Accept-Encoding', 'Accept-Language', 'Allow', 'Content-Type', 'Min-Expires'],
        ...['SIP-ETag', 'Supported', 'Unsupported', 'User-Agent', 'WWW-Authenticate', 'Content-Length'],
      ],
      contentLengthWidth: 0,
    },
    agent: ['User-Agent', `3CXPhoneSystem ${pick('version', VERSIONS)}`],
    allow: 'INVITE, ACK, CANCEL, OPTIONS, BYE, REGISTER, REFER, NOTIFY, INFO, MESSAGE, SUBSCRIBE, UPDATE',
    unknownMethodStatus: 405,
    supported: 'replaces, timer',
    accept: 'application/sdp',
    optionsHeaders: [['Accept-Language', 'en']],
    realm: pick('realm', ['3CXPhoneSystem', hostName(choices), domainName(choices), domainName(choices)]),
    algorithms: ['MD5'],
    challenge: { separator: ',', order: ['nonce', 'algorithm', 'realm', 'stale'], qop: false, opaque: false },
    tag: '{hex:26}',
    shortTag: '{hex:8}',
    nonce: '414d535c{hex:10}:{hex:32}',
    shortNonce: '414d535c:{hex:26}',
    opaque: '{hex:8}',
    unknownUserStatus: 404,
    challengesInvite: true,
    inviteChallengeStatus: 407,
    ringing: 180,
    ringsAfterMs: integer('rings', 60, 240),
    answersAfterMs: integer('answers', 1200, 3200),
    contact: 'sip:{user}{host}{transport}',
    sdp: { owner: '3cxPS', session: '3cxPS Audio call', ptime: true },
    registerHeaders: [],
  }
}
