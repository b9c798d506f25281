// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { PersonaTraits } from '../persona.ts'
import type { SeededChoices } from '../seeded.ts'
import { domainName, hostName } from './realm.ts'

const FREEPBX_16 = [
  ...(['30', '33', '40', '40.1', '40.2', '40.3', '40.4', '40.6', '40.7', '40.8', '40.9', '40.10'] as const),
  ...(['40.11', '40.13', '41', '41.1'] as const),
] as const
const ASTERISK_16_TO_20 = [
  ...(['16.25.3', '16.30.1', '18.9.0', '18.13.0', '18.16.0', '18.17.1', '18.18.1', '18.19.0', '18.20.2'] as const),
  ...(['18.22.0', '18.24.3', '20.2.1', '20.3.1', '20.5.2', '20.7.0', '20.9.3'] as const),
] as const
const FREEPBX_17 = [
  ...(['19.17', '19.18', '19.19', '19.20', '19.21', '19.22', '19.23', '19.24', '19.25', '19.26'] as const),
  ...(['19.27', '19.28', '19.29', '19.30', '19.31', '19.32'] as const),
] as const
const ASTERISK_20_TO_22 = [
  ...(['20.11.1', '20.12.0', '20.13.0', '20.14.1', '20.15.2', '21.6.1', '21.7.0', '21.8.0', '21.9.1'] as const),
  ...(['22.1.1', '22.2.0', '22.3.0', '22.4.1', '22.5.2', '22.6.0'] as const),
] as const

/** FreePBX or plain Asterisk with chan_pjsip. Header order and padding are those of PJSIP. */
export function asterisk(choices: SeededChoices): PersonaTraits {
  const { integer, pick } = choices
  const { agent, md5 } = release(choices)
  return {
    style: {
      order: [
        ...['Via', 'Record-Route', 'Call-ID', 'From', 'To', 'CSeq', 'WWW-Authenticate', 'Proxy-Authenticate'],
        ...['Date', 'Contact', 'Expires', 'Accept', 'Allow', 'Supported', 'Accept-Encoding', 'Accept-Language'],
        ...['Server', 'Content-Type', 'Content-Length'],
      ],
      contentLengthWidth: 2,
      bodyLengthWidth: 5,
    },
    agent: ['Server', agent],
    allow:
      'OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, INFO, MESSAGE, REFER',
    unknownMethodStatus: 501,
    supported: '100rel, timer, replaces, norefersub',
    accept: [
      'application/dialog-info+xml, application/xpidf+xml, application/cpim-pidf+xml',
      'application/simple-message-summary, application/pidf+xml, application/pidf+xml',
      'application/dialog-info+xml, application/simple-message-summary, application/sdp, message/sipfrag;version=2.0',
    ].join(', '),
    optionsHeaders: [
      ['Accept-Encoding', 'text/plain'],
      ['Accept-Language', 'en'],
    ],
    realm: pick('realm', ['asterisk', hostName(choices), domainName(choices)]),
    algorithms: ['MD5'],
    challenge: {
      separator: ',',
      order: ['realm', 'nonce', 'opaque', 'stale', 'algorithm', 'qop'],
      md5,
      qop: true,
      opaque: true,
    },
    tag: '{uuid}',
    shortTag: 'z9hG4bK{hex:8}',
    repeatsBranchAsTag: true,
    nonce: '{time}/{hex:32}',
    shortNonce: '{hex:26}',
    opaque: '{hex:16}',
    unknownUserStatus: 404,
    challengesInvite: false,
    inviteChallengeStatus: 401,
    ringing: 180,
    ringsAfterMs: integer('rings', 40, 160),
    answersAfterMs: integer('answers', 900, 2600),
    contact: 'sip:{host}{transport}',
    sdp: { owner: '-', session: 'Asterisk', ptime: true },
    registerHeaders: [],
  }
}

/** Releases before 20.11 and 21.6 write the algorithm in lower case. */
function release({ pick }: SeededChoices): { agent: string; md5: 'MD5' | 'md5' } {
  const older = pick('older', ASTERISK_16_TO_20)
  const newer = pick('newer', ASTERISK_20_TO_22)
  const freepbx16 = { agent: `FPBX-16.0.${pick('freepbx 16', FREEPBX_16)}(${older})`, md5: 'md5' } as const
  const freepbx17 = { agent: `FPBX-17.0.${pick('freepbx 17', FREEPBX_17)}(${newer})`, md5: 'MD5' } as const
  const asteriskAlone = [
    { agent: `Asterisk PBX ${older}`, md5: 'md5' },
    { agent: `Asterisk PBX ${newer}`, md5: 'MD5' },
  ] as const
  return pick('agent', [freepbx16, freepbx16, freepbx16, freepbx17, freepbx17, freepbx17, ...asteriskAlone])
}
