// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { SeededChoices } from '../seeded.ts'

const ROLES = ['pbx', 'voip', 'sip', 'tel', 'voice', 'phone'] as const
const BEGINNINGS = [
  ...(['north', 'south', 'east', 'west', 'hill', 'lake', 'stone', 'river', 'oak'] as const),
  ...(['maple', 'bridge', 'castle', 'green', 'white', 'silver', 'mill', 'church', 'market'] as const),
] as const
const ENDS = [
  ...(['field', 'gate', 'ford', 'ton', 'wood', 'side', 'view', 'land', 'brook'] as const),
  ...(['port', 'well', 'bury', 'dale', 'haven', 'ridge', 'point', 'crest', 'park'] as const),
] as const

// RFC 6762 §G, RFC 8375 and the name that ICANN set aside in 2024: nobody's, so that no stranger's name is on show.
const PRIVATE_DOMAINS = ['local', 'lan', 'internal', 'office', 'corp', 'home.arpa'] as const

/** What the name of a small PBX or a rented machine looks like. */
export function hostName(choices: SeededChoices): string {
  const { integer, pick } = choices
  const letters = integer('host letters', 0, 0xffff_ffff).toString(16).padStart(8, '0')
  return pick('host', [
    `${pick('host role', ROLES)}-${siteName(choices)}`,
    `${pick('host role', ROLES)}${integer('host number', 1, 9)}-${siteName(choices)}`,
    `vmi${integer('host digits', 180_000, 999_999)}`,
    `vps-${letters}`,
    `srv${integer('host digits', 100_000, 899_999)}`,
  ])
}

/** A domain as networks give it to themselves. */
export function domainName(choices: SeededChoices): string {
  const { pick } = choices
  return `${pick('domain role', ROLES)}.${siteName(choices)}.${pick('domain', PRIVATE_DOMAINS)}`
}

function siteName({ pick }: SeededChoices): string {
  return pick('site beginning', BEGINNINGS) + pick('site end', ENDS)
}
