// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createHash } from 'node:crypto'

const KEY_BYTES = 32 // 256 bits: beyond guessing, and one SHA-256 of it is beyond reversing without salt or stretching

/**
 * What `sentrypeer api-key` prints: a new bearer key, and its hash for the config file, so that the file alone lets
 * nobody in. `randomBytes` is `node:crypto`'s.
 */
export function newApiKeyText(randomBytes: (size: number) => Buffer): string {
  const key = newKey(randomBytes)
  const hash = createHash('sha256').update(key).digest('hex')
  return `Key for the client, shown only now:  ${key}\nLine for the config file:            api_key = "sha256:${hash}"\n`
}

/** base64url; never one that begins with a dash, which a command line would take for a flag. */
function newKey(randomBytes: (size: number) => Buffer): string {
  const key = randomBytes(KEY_BYTES).toString('base64url')
  return key.startsWith('-') ? newKey(randomBytes) : key
}
