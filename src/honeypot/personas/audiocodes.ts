// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { PersonaTraits } from '../persona.ts'
import type { SeededChoices } from '../seeded.ts'
import { domainName, hostName } from './realm.ts'

const MODELS = [
  ...(['Mediant VE SBC', 'Mediant SW', 'Mediant CE SBC', 'Mediant 500', 'Mediant 500L', 'Mediant 800B'] as const),
  ...(['Mediant 800C', 'Mediant 1000', 'Mediant 2600', 'Mediant 4000'] as const),
] as const
const VERSIONS = [
  ...(['7.20A.204.549', '7.20A.252.269', '7.20A.254.202', '7.20A.256.399', '7.20A.256.713', '7.20A.258.459'] as const),
  ...(['7.20A.260.095', '7.20A.260.152', '7.40A.100.336', '7.40A.250.001', '7.40A.250.611', '7.40A.400.023'] as const),
  ...(['7.40A.500.010', '7.40A.501.841'] as const),
] as const

/** An AudioCodes Mediant session border controller. */
export function audiocodes(choices: SeededChoices): PersonaTraits {
  const { integer, pick } = choices
  return {
    style: {
      order: [
        ...['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Record-Route', 'Contact', 'WWW-Authenticate'],
        ...[
          'Proxy-Authenticate',
          'Supported',
          'Allow',
          'Accept',
          'Expires',
          'Server',
          'Content-Type',
          'Content-Length',
        ],
      ],
      contentLengthWidth: 0,
    },
    agent: ['Server', `${pick('model', MODELS)}/v.${pick('version', VERSIONS)}`],
    allow: 'REGISTER,OPTIONS,INVITE,ACK,CANCEL,BYE,NOTIFY,PRACK,REFER,INFO,SUBSCRIBE,UPDATE',
    unknownMethodStatus: 501,
    supported: 'em,timer,replaces,path,resource-priority',
    accept: null,
    optionsHeaders: [],
    realm: pick('realm', ['audiocodes.com', hostName(choices), domainName(choices), domainName(choices)]),
    algorithms: ['MD5'],
    challenge: { separator: ',', order: ['realm', 'nonce', 'stale', 'algorithm', 'qop'], qop: true, opaque: false },
    tag: '1c{dec:31}',
    shortTag: '1c{dec:9}',
    nonce: '{dec:32}',
    shortNonce: '{dec:31}',
    opaque: '{dec:10}',
    unknownUserStatus: 404,
    challengesInvite: false,
    inviteChallengeStatus: 407,
    ringing: 180,
    ringsAfterMs: integer('rings', 20, 110),
    answersAfterMs: integer('answers', 800, 2400),
    contact: 'sip:{user}{host}{transport}',
    sdp: { owner: 'AudiocodesGW', session: 'SBC-Call', ptime: true },
    registerHeaders: [],
  }
}
