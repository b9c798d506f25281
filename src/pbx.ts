// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { parse, TomlError } from 'smol-toml'
import type { Config } from './config/load.ts'
import { createReplyBudget, type Verdict } from './honeypot/budget.ts'
import { createCredentialCapture, createLoginAttempts } from './honeypot/credentials.ts'
import { PersonaError, readCustomPersona } from './honeypot/custom-persona.ts'
import { createDialogs } from './honeypot/dialogs.ts'
import { createExtensions, type Extensions, listedExtensions } from './honeypot/extensions.ts'
import type { ObserverOptions } from './honeypot/observe.ts'
import { createPersona, PERSONA_NAMES, type Persona, type PersonaName } from './honeypot/persona.ts'
import { createSourceProof, tokenLook } from './honeypot/proof.ts'
import { createResponder, type Respond } from './honeypot/respond.ts'
import { createSender } from './honeypot/send.ts'
import { systemTimers } from './honeypot/timers.ts'
import { createTransactions, type Transactions } from './honeypot/transactions.ts'
import { readWeakPasswords, WEAK_PASSWORDS } from './honeypot/weak-passwords.ts'
import { createRtpMedia } from './listeners/rtp.ts'
import { createRangeCheck, type IpAddress } from './net/ip.ts'
import type { Clock } from './ops/clock.ts'
import type { CounterName, Counters } from './ops/counters.ts'
import { OperatorError, reason } from './ops/errors.ts'

/** What a node takes itself for, kept in its database from the first start on. */
export interface Identity {
  /** Hexadecimal; varies the persona and the extensions. */
  readonly seed: string
  /** What was picked at random. */
  readonly persona: string
}

export interface PbxParts {
  readonly core: Config['core']
  readonly identity: Identity
  readonly clock: Clock
  readonly counters: Counters
  readonly isOwnSocket: (address: IpAddress, port: number) => boolean
  /** With audio, at a time. */
  readonly maxCalls: number
  readonly onRetransmitted: (honeyId: number, count: number) => void
}

/** The PBX that a node pretends to be. */
export interface Pbx {
  /** Its name, for the operator. */
  readonly personaName: string
  readonly transactions: Transactions
  readonly respond: Respond
  readonly observing: Pick<ObserverOptions, 'shownBy' | 'captureCredentials'>
  /** Whether the operator lets anything be sent there. */
  readonly mayAnswer: (source: IpAddress) => boolean
  /** Ends calls and transactions; nothing is sent any more. */
  stop(): void
}

const SUPPRESSED = {
  'too-many-replies': 'suppressedTooManyReplies',
  'too-many-bytes': 'suppressedTooManyBytes',
  'table-full': 'suppressedTableFull',
  'too-much-in-all': 'suppressedTooMuchInAll',
  'forbidden-source': 'suppressedForbiddenSource',
} as const satisfies Record<Exclude<Verdict, 'send'> | 'forbidden-source', CounterName>

/** What the settings of a PBX come to. */
interface PbxSettings {
  readonly persona: Persona
  readonly weakPasswords: readonly string[]
  readonly extensions: Extensions
}

/** Reads the settings and the files that they name. Throws the OperatorErrors of `createPbx`. */
export async function readPbxSettings(core: Config['core'], identity: Identity): Promise<PbxSettings> {
  return {
    persona: withSha256(await personaOf(core, identity), core.digestSha256),
    weakPasswords: await weakPasswordsOf(core.weakPasswords),
    extensions: extensionsOf(core.extensions, identity.seed),
  }
}

/** Any identity: settings are right or wrong whatever it is. */
export const NOBODY: Identity = { seed: '00', persona: PERSONA_NAMES[0] }

/**
 * Builds it from the settings. Throws OperatorErrors (PERSONA_INVALID, FILE_UNREADABLE, CONFIG_INVALID) that name the
 * file and key.
 */
export async function createPbx({
  core,
  identity,
  clock,
  counters,
  isOwnSocket,
  maxCalls,
  onRetransmitted,
}: PbxParts): Promise<Pbx> {
  const { steadyMs, wallMs } = clock
  const { persona, weakPasswords, extensions } = await readPbxSettings(core, identity)
  const timers = systemTimers()
  const isNeverAnswered = createRangeCheck(core.neverAnswer)
  const proof = createSourceProof({
    secret: randomBytes(32).toString('hex'),
    look: tokenLook(persona),
    wallMs,
    steadyMs,
    randomBytes,
  })
  const sender = createSender({
    budget: createReplyBudget(steadyMs, randomBytes(4).readInt32BE()),
    isProven: proof.isProven,
    isOwnSocket,
    isNeverAnswered,
    onSent: (wasTaken) => counters.add(wasTaken ? 'repliesSent' : 'repliesNotSent'),
    onSuppressed: (why) => counters.add(SUPPRESSED[why]),
  })
  const transactions = createTransactions({
    timers,
    isAnswering: core.responsive,
    send: sender.send,
    onRetransmitted,
    onDropped: () => counters.add('transactionsDropped'),
  })
  const dialogs = createDialogs(steadyMs)
  const media = createRtpMedia({ maxCalls, timers, clock, randomBytes, onError: () => counters.add('mediaFailures') })
  const respond = createResponder({
    persona,
    extensions,
    attempts: createLoginAttempts({ acceptAfter: core.acceptAfter, steadyMs }),
    proof,
    sender,
    transactions,
    dialogs,
    timers,
    callEnd: core.callEnd,
    openMedia: media.start,
  })
  return {
    personaName: persona.name,
    transactions,
    respond,
    mayAnswer: (source) => !isNeverAnswered(source),
    observing: {
      shownBy: core.responsive ? proof.shownBy : () => null, // who is told nothing has nothing to bring back
      captureCredentials: createCredentialCapture({
        realm: persona.realm,
        weakPasswords,
        steadyMs,
        onSkipped: () => counters.add('passwordsNotTried'),
      }),
    },
    stop() {
      transactions.stop()
      dialogs.stop()
      media.stopAll()
    },
  }
}

async function personaOf(core: Config['core'], { seed, persona: kept }: Identity): Promise<Persona> {
  const asked = core.persona === 'random' && core.personaFile !== null ? 'custom' : core.persona
  if (asked === 'custom') return customPersona(core.personaFile, seed)
  if (core.personaFile !== null) {
    throw new OperatorError(
      'PERSONA_INVALID',
      `--persona-file is for a persona of your own, and --persona ${asked} is none`,
      'Leave one of the two out.',
    )
  }
  const name = asked === 'random' ? kept : asked
  // A name that was kept by a later version, which knew more of them: any other will do.
  return createPersona(isPersonaName(name) ? name : PERSONA_NAMES[0], seed)
}

/** RFC 8760 §2.3: the one that is preferred comes first; attackers' tools look at the first one only, and know MD5. */
function withSha256(persona: Persona, isOffered: boolean): Persona {
  return isOffered ? { ...persona, algorithms: ['MD5', 'SHA-256'] } : persona
}

function isPersonaName(name: string): name is PersonaName {
  return PERSONA_NAMES.some((known) => known === name)
}

async function customPersona(file: string | null, seed: string): Promise<Persona> {
  if (file === null) {
    throw new OperatorError(
      'PERSONA_INVALID',
      '--persona custom needs the file that describes it',
      'Name it with --persona-file; docs/personas.md has an example.',
    )
  }
  const text = await readText(file, '--persona-file')
  try {
    return readCustomPersona(parse(text), seed)
  } catch (error) {
    if (!(error instanceof PersonaError || error instanceof TomlError)) throw error
    const where = error instanceof TomlError ? `${file}:${error.line}` : file
    const [what = ''] = reason(error).split('\n')
    throw new OperatorError('PERSONA_INVALID', `${where}: ${what}`, 'docs/personas.md has an example.', error)
  }
}

async function weakPasswordsOf(file: string | null): Promise<readonly string[]> {
  if (file === null) return WEAK_PASSWORDS
  const text = await readText(file, '--weak-passwords')
  try {
    return readWeakPasswords(text)
  } catch (error) {
    throw new OperatorError('FILE_UNREADABLE', `${file}: ${reason(error)}`, 'It has one password on each line.', error)
  }
}

async function readText(file: string, flag: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new OperatorError(
      'FILE_UNREADABLE',
      `cannot read ${file}: ${reason(cause)}`,
      `Check the path after ${flag}.`,
      cause,
    )
  }
}

function extensionsOf(list: string | null, seed: string): Extensions {
  if (list === null) return createExtensions(seed)
  const listed = listedExtensions(list)
  if (listed.kind === 'extensions') return listed.extensions
  throw new OperatorError('CONFIG_INVALID', `--extensions: ${listed.detail}`, 'Write it like 100-119,200,reception.')
}
