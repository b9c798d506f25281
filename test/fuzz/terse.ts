// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Random } from './random.ts'

/** A sound request in as few bytes as can be, so that every answer is longer: what somebody sends who wants amplification. */
export function terseRequest(random: Random): string {
  const method = random.pick(['OPTIONS', 'REGISTER', 'INVITE', 'BYE', 'FROB', 'SUBSCRIBE', 'CANCEL'])
  const user = random.pick(['100', '1', '0044123'])
  return [
    `${method} sip:${user}@a SIP/2.0`,
    `v:SIP/2.0/UDP a;branch=z9hG4bK${random.hex(6)}`,
    'f:<sip:1@a>;tag=1',
    `t:<sip:${user}@a>`,
    `i:${random.hex(6)}`,
    `CSeq:1 ${method}`,
    '',
    '',
  ].join('\r\n')
}
