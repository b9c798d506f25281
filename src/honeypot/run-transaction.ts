// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Packet, ReturnPath } from '../net/packet.ts'
import {
  beginTransaction,
  stepTransaction,
  type TransactionInput,
  type TransactionOutput,
  type TransactionState,
  type TransactionStep,
  type TransactionTimer,
} from '../sip/transaction.ts'
import { createKeptBytes, type Keeper } from './kept-bytes.ts'
import { createDeadlines, type Timers, type Waiting } from './timers.ts'

const STEP_MS = 500 // chosen: T1; nothing is remembered shorter than the RFC says, and up to this much longer

/** A transaction with what its machine does not hold: the last response, and the timers that run. */
export interface RunningTransaction<Self> extends Waiting<Self>, Keeper {
  readonly method: 'INVITE' | 'ACK' | 'other'
  /** Where the request came from; not its bytes, which may be 64 KiB. */
  readonly path: ReturnPath
  readonly requestBytes: number
  /** Null until it has begun. */
  state: TransactionState | null
  /** The last response, unless it is among the kept bytes. */
  response: Buffer | null
  cancelRepeat: (() => void) | null
}

export interface TransactionRunner<Running extends RunningTransaction<Running>> {
  begin(transaction: Running): void
  /** The request came again, in this packet. */
  comeAgain(transaction: Running, again: Packet): void
  acknowledge(transaction: Running): void
  /** False when the state does not allow it. */
  respond(transaction: Running, status: number, bytes: Buffer, mayRetransmit: number): boolean
  /** Stops the timers of a transaction, whatever its state, and lets go of its response. */
  halt(transaction: Running): void
  /** Stops the timers that transactions share. */
  stop(): void
}

export interface RunnerOptions<Running extends RunningTransaction<Running>> {
  readonly timers: Timers
  readonly send: (path: ReturnPath, bytes: Buffer, why: 'asked' | 'unasked', ofRequestBytes: number) => boolean
  readonly onTerminated: (transaction: Running) => void
}

/** Carries out what the machines of src/sip/transaction.ts ask for: sends, and keeps their time. */
export function createTransactionRunner<Running extends RunningTransaction<Running>>({
  timers,
  send,
  onTerminated,
}: RunnerOptions<Running>): TransactionRunner<Running> {
  // Timers H, J, L and the lifetime are many and all of one length. G and the 2xx are as many as our answers are.
  const deadlines = createDeadlines<Running>(timers, STEP_MS, (transaction) => {
    const timer = transaction.state?.endsBy ?? null
    if (timer !== null) input(transaction, { kind: 'timer', timer })
  })

  const kept = createKeptBytes()

  /** `again` is the packet to answer to, if it is not the first. */
  function input(transaction: Running, what: TransactionInput, again: Packet | null = null): boolean {
    if (transaction.state === null) return false
    const step = stepTransaction(transaction.state, what)
    follow(transaction, step, again)
    return step.outputs.length > 0
  }

  function follow(transaction: Running, { state, outputs }: TransactionStep, again: Packet | null): void {
    transaction.state = state
    let hasFailed = false
    for (const output of outputs) {
      if (output.kind === 'send') hasFailed = !sendResponse(transaction, output.why, again)
      else obey(transaction, output)
    }
    // What did not go out over UDP was held back by us, which is no error of the transport.
    if (hasFailed && state.isReliable) input(transaction, { kind: 'transport-error' })
  }

  function sendResponse(transaction: Running, why: 'asked' | 'unasked', again: Packet | null): boolean {
    const { path, requestBytes } = transaction
    const response = transaction.response ?? kept.read(transaction)
    return response !== null && send(again ?? path, response, why, again?.bytes.length ?? requestBytes)
  }

  function obey(transaction: Running, output: Exclude<TransactionOutput, { readonly kind: 'send' }>): void {
    switch (output.kind) {
      case 'start':
        return startTimer(transaction, output.timer, output.afterMs)
      case 'stop':
        return isRepeat(output.timer) ? stopRepeat(transaction) : deadlines.cancel(transaction)
      case 'terminated':
        return onTerminated(transaction)
      default:
        return output satisfies never
    }
  }

  function startTimer(transaction: Running, timer: TransactionTimer, afterMs: number): void {
    if (!isRepeat(timer)) {
      deadlines.start(transaction, afterMs)
      return
    }
    transaction.cancelRepeat = timers.after(afterMs, () => {
      transaction.cancelRepeat = null
      input(transaction, { kind: 'timer', timer })
    })
  }

  return {
    begin: (transaction) =>
      follow(transaction, beginTransaction(transaction.method, transaction.path.transport !== 'UDP'), null),
    comeAgain: (transaction, again) => void input(transaction, { kind: 'request' }, again),
    acknowledge: (transaction) => void input(transaction, { kind: 'ack' }),
    respond(transaction, status, bytes, mayRetransmit) {
      const before = transaction.response
      transaction.response = bytes
      const isTaken = input(transaction, { kind: 'respond', status, mayRetransmit })
      if (!isTaken) transaction.response = before
      else if (isOneOfMany(transaction)) {
        transaction.response = null
        kept.keep(transaction, bytes)
      }
      return isTaken
    },
    halt(transaction) {
      transaction.response = null
      kept.drop(transaction)
      stopRepeat(transaction)
      deadlines.cancel(transaction)
    },
    stop: () => deadlines.stop(),
  }
}

/**
 * What a flood makes many of: they end in the order in which they were answered. An INVITE may live for minutes, and one
 * over a stream that is answered has ended.
 */
function isOneOfMany({ method, path, state }: RunningTransaction<unknown>): boolean {
  return method === 'other' && path.transport === 'UDP' && state !== null && state.name !== 'terminated'
}

function isRepeat(timer: TransactionTimer): boolean {
  return timer === 'G' || timer === '2xx'
}

function stopRepeat(transaction: Pick<RunningTransaction<unknown>, 'cancelRepeat'>): void {
  transaction.cancelRepeat?.()
  transaction.cancelRepeat = null
}
