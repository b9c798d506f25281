// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { hash, timingSafeEqual } from 'node:crypto'
import { OperatorError } from '../ops/errors.ts'

const DIGEST_PREFIX = 'sha256:'

/** Says whether the value of an Authorization header is `Bearer` and one of the keys. */
export type KeyCheck = (authorization: string | undefined) => boolean

/**
 * The check for keys that are plain or `sha256:HEX`. Keys are kept and compared as SHA-256 digests, all of them each
 * time and in constant time, so that the time of an answer tells nothing of a key.
 */
export function createKeyCheck(keys: readonly string[]): KeyCheck {
  const digests = keys.map(digestOfKey)
  return (authorization) => {
    const token = /^Bearer +([!-~]+) *$/i.exec(authorization ?? '')?.[1] // RFC 6750 §2.1
    if (token === undefined) return false
    const digest = digestOf(token)
    return digests.reduce((found, known) => timingSafeEqual(known, digest) || found, false)
  }
}

function digestOfKey(key: string): Buffer {
  if (!key.startsWith(DIGEST_PREFIX)) {
    if (/^[!-~]+$/.test(key)) return digestOf(key)
    throw unusable('an API key is empty or has characters that cannot be sent in a header')
  }
  const hex = key.slice(DIGEST_PREFIX.length)
  if (/^[0-9a-f]{64}$/i.test(hex)) return Buffer.from(hex, 'hex')
  throw unusable('an API key that begins with sha256: is not followed by 64 hexadecimal digits')
}

function digestOf(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}

function unusable(what: string): OperatorError {
  return new OperatorError(
    'CONFIG_INVALID',
    what,
    'Give each key as visible ASCII characters, or as sha256: and its digest.',
  )
}
