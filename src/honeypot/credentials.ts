// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { hash } from 'node:crypto'
import type { EventCredentials } from '../event/event.ts'
import { textOfLatin1 } from '../event/text.ts'
import { type IpAddress, networkOf } from '../net/ip.ts'
import { createPasswordCheck, type DigestCredentials, isDigestResponse, parseDigestCredentials } from '../sip/digest.ts'
import { headerValues, type SipRequest } from '../sip/message.ts'
import { DERIVED_COUNT, weakPasswords } from './weak-passwords.ts'

/** Text for storing. The password is also null when there was no time to look for it. */
export type CapturedCredentials = EventCredentials

export interface CredentialCaptureOptions {
  /** Ours: of several credentials those for it count. */
  readonly realm: string
  /** Without repeats, the most likely ones first. */
  readonly weakPasswords: readonly string[]
  /** A clock that never goes back. */
  readonly steadyMs: () => number
  /** How many passwords may be tried per second in all, and at once after a pause. */
  readonly passwordsPerS?: number
  /** Told of every request for which not all passwords could be tried. */
  readonly onSkipped: () => void
}

// Chosen: a password takes 1 µs, or 1.8 µs with qop, so that a flood of credentials takes one to two tenths of a core.
const PASSWORDS_PER_S = 100_000

const MAX_CREDENTIALS = 8 // chosen: a client has one for each realm that challenged it
const FEW = 10 // chosen: what is still tried of the list when the passwords of this second are nearly used up

// Measured: hashing this many characters takes about as long as a password does otherwise.
const CHARACTERS_OF_A_TRY = 512

/**
 * Makes the function that reads the Digest credentials of a request, those for our realm or else the first, of
 * Authorization before Proxy-Authorization, and looks for the password among the weak ones. Null when the request has none. `body` is the request's own.
 */
export function createCredentialCapture(
  options: CredentialCaptureOptions,
): (request: SipRequest, body: Buffer) => CapturedCredentials | null {
  const { realm } = options
  // The bytes of UTF-8 one a character, as everything in the header is.
  const all = options.weakPasswords.map((password) => Buffer.from(password).toString('latin1'))
  const few = all.slice(0, FEW)
  const tries = createTries(options.passwordsPerS ?? PASSWORDS_PER_S, options.steadyMs)

  return (request, body) => {
    const credentials = credentialsFor(realm, request)
    if (credentials === null) return null
    const password = findPassword(credentials, request.method, body)
    return {
      user: textOfLatin1(credentials.username),
      realm: textOfLatin1(credentials.realm),
      nonce: textOfLatin1(credentials.nonce),
      response: textOfLatin1(credentials.response),
      algorithm: textOfLatin1(credentials.algorithm),
      password: password === null ? null : textOfLatin1(password),
    }
  }

  function findPassword(credentials: DigestCredentials, method: string, body: Buffer): string | null {
    if (!isDigestResponse(credentials.response)) return null // of no password
    const weight = triesPerPassword(credentials)
    const affordable = tries.left() / weight
    const list = [all, few].find(({ length }) => length + DERIVED_COUNT <= affordable) ?? null
    if (list !== all) options.onSkipped()
    if (list === null) return null
    const isRight = createPasswordCheck(credentials, method, body)
    for (const password of weakPasswords(credentials.username, list)) {
      tries.spend(weight)
      if (isRight(password)) return password
    }
    return null
  }
}

export interface LoginAttempts {
  /**
   * Decides about one try, which carried a valid nonce of ours. A weak PBX gives in at last: of the different tries of one
   * source network at one user the `acceptAfter`th is accepted. From then on that password alone is right, or, if only
   * its digest is known, every password that was not refused before.
   */
  tryLogin(source: IpAddress, captured: CapturedCredentials): 'accepted' | 'rejected'
}

export interface LoginAttemptsOptions {
  /** 0 accepts nobody. */
  readonly acceptAfter: number
  /** A clock that never goes back. */
  readonly steadyMs: () => number
  /** Pairs of a network and a user; the one that was idle for longest makes room. */
  readonly maxEntries?: number
}

/** One source network at one user. */
interface Attempts {
  lastUsedAtMs: number
  tries: number
  accepted: { readonly password: string | null } | null
  /** By response and by password: asked again, the same question gets the same answer. */
  readonly verdicts: Map<string, 'accepted' | 'rejected'>
}

const IDLE_MS = 3_600_000 // how long RFC 3261 §10.2.1.1 takes a registration to last
const MAX_VERDICTS = 32 // chosen: 2 KB a pair, 8 MB for all that are kept

/** Bounded in memory; a question takes the same time however many others were asked. */
export function createLoginAttempts({
  acceptAfter,
  steadyMs,
  maxEntries = 4_096,
}: LoginAttemptsOptions): LoginAttempts {
  const entries = new Map<string, Attempts>() // the one that was idle for longest comes first

  /** The entry of this pair, which is now the latest. */
  function attemptsOf(key: string, nowMs: number): Attempts {
    for (const [oldest, { lastUsedAtMs }] of entries) {
      if (nowMs - lastUsedAtMs < IDLE_MS) break
      entries.delete(oldest)
    }
    const entry = entries.get(key) ?? { lastUsedAtMs: nowMs, tries: 0, accepted: null, verdicts: new Map() }
    entries.delete(key)
    dropOldest(entries, maxEntries - 1)
    entries.set(key, entry)
    entry.lastUsedAtMs = nowMs
    return entry
  }

  function judge(entry: Attempts, password: string | null): 'accepted' | 'rejected' {
    if (entry.accepted !== null) {
      return entry.accepted.password === null || entry.accepted.password === password ? 'accepted' : 'rejected'
    }
    entry.tries++
    if (entry.tries < acceptAfter) return 'rejected'
    entry.accepted = { password }
    return 'accepted'
  }

  return {
    tryLogin(source, { user, nonce, response, password }) {
      if (acceptAfter === 0) return 'rejected'
      const entry = attemptsOf(pairOf(source, user), steadyMs())
      const questions = [keyOf(nonce, response), ...(password === null ? [] : [`=${password}`])]
      const before = questions.map((question) => entry.verdicts.get(question)).find((verdict) => verdict !== undefined)
      const verdict = before ?? judge(entry, password)
      for (const question of questions) entry.verdicts.set(question, verdict)
      dropOldest(entry.verdicts, MAX_VERDICTS)
      return verdict
    },
  }
}

function credentialsFor(realm: string, request: SipRequest): DigestCredentials | null {
  let first: DigestCredentials | null = null
  for (const name of ['authorization', 'proxy-authorization'] as const) {
    for (const value of headerValues(request, name).slice(0, MAX_CREDENTIALS)) {
      const credentials = parseDigestCredentials(value)
      if (credentials?.realm === realm) return credentials
      first ??= credentials
    }
  }
  return first
}

/** One for all that real clients send, more for what is long on purpose. */
function triesPerPassword({ username, realm, nonce, cnonce, nc, qop }: DigestCredentials): number {
  const characters = [username, realm, nonce, cnonce, nc, qop].reduce((sum, text) => sum + (text?.length ?? 0), 0)
  return 1 + Math.floor(characters / CHARACTERS_OF_A_TRY)
}

/** A bucket that holds the tries of one second. */
function createTries(perS: number, steadyMs: () => number) {
  let tries = perS
  let filledAtMs = steadyMs()
  return {
    left(): number {
      const nowMs = steadyMs()
      tries = Math.min(perS, tries + ((nowMs - filledAtMs) / 1000) * perS)
      filledAtMs = nowMs
      return tries
    },
    spend(count: number): void {
      tries -= count
    },
  }
}

function pairOf(source: IpAddress, user: string): string {
  return keyOf(networkOf(source), user)
}

/** Short, however long the attacker's text is. */
function keyOf(ours: string, theirs: string): string {
  return hash('sha256', `${ours}\n${theirs}`, 'base64')
}

function dropOldest(map: Map<string, unknown>, maxSize: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= maxSize) return
    map.delete(oldest)
  }
}
