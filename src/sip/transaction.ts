// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/*
 * The server transactions of RFC 3261 §17.2 as pure functions: INVITE (figure 7, with the Accepted state and Timer L of
 * RFC 6026 §7.1) and everything else but ACK (figure 8). No clock and no socket: timers are named in outputs and come
 * back as inputs, and whoever runs the machine keeps the bytes of the last response.
 *
 * A honeypot differs in three points. It sends no 100 by itself within 200 ms, which §17.2.1 wants: a forged source gets
 * no provisional response. A request that is never answered ends after a while. And what is sent again without being
 * asked for is counted, since each such response may hit a bystander.
 *
 * RFC 3261 §13.3.1.4 has the core repeat its 2xx until the ACK. The schedule is the one of Timer G, so it is kept here.
 */

const T1_MS = 500 // RFC 3261 §17.1.1.1: the round trip
const T2_MS = 4_000 // RFC 3261 §17.1.2.2: the longest pause between two retransmissions
const T4_MS = 5_000 // RFC 3261 §17.1.2.2: how long a message stays in the network

/** How long a transaction is remembered where the RFC says 64*T1, which is Timers H, J and L over datagrams. */
export const REMEMBERED_MS = 64 * T1_MS
const RINGING_MS = 180_000 // the figure of Timer C, RFC 3261 §16.6 step 11: nobody lets a telephone ring for longer

/** Those that end a state. One runs at a time. `lifetime` is ours: nobody ever gave a final response. */
type EndTimer = 'H' | 'I' | 'J' | 'L' | 'lifetime'
/** Those that send the last response again. One runs at a time. `2xx` is the core's, RFC 3261 §13.3.1.4. */
type RepeatTimer = 'G' | '2xx'
export type TransactionTimer = EndTimer | RepeatTimer

export interface TransactionState {
  readonly machine: 'INVITE' | 'non-INVITE'
  readonly name: 'trying' | 'proceeding' | 'completed' | 'confirmed' | 'accepted' | 'terminated'
  /** TCP and TLS. */
  readonly isReliable: boolean
  /** Was there a response, provisional or final, that can be sent again? */
  readonly hasResponse: boolean
  /** Which timers run. */
  readonly endsBy: EndTimer | null
  readonly repeatsBy: RepeatTimer | null
  /** What the running repeat timer was started with. */
  readonly repeatAfterMs: number
  /** How often the final response may still be sent without being asked for. */
  readonly repeatsLeft: number
}

export type TransactionInput =
  /** The request came again. */
  | { readonly kind: 'request' }
  | { readonly kind: 'ack' }
  /** A response of the core. `mayRetransmit`: how often a final one may be sent again unasked; Infinity for a proven source. */
  | { readonly kind: 'respond'; readonly status: number; readonly mayRetransmit: number }
  | { readonly kind: 'timer'; readonly timer: TransactionTimer }
  | { readonly kind: 'transport-error' }

export type TransactionOutput =
  /** Send the last response. `asked`: to a request that came in and was not answered yet; `unasked`: of our own accord. */
  | { readonly kind: 'send'; readonly why: 'asked' | 'unasked' }
  | { readonly kind: 'start'; readonly timer: TransactionTimer; readonly afterMs: number }
  | { readonly kind: 'stop'; readonly timer: TransactionTimer }
  /** No timer runs any more; the transaction can be forgotten. */
  | { readonly kind: 'terminated' }

export interface TransactionStep {
  readonly state: TransactionState
  /** To be carried out in order; none when the state takes no notice of the input. */
  readonly outputs: readonly TransactionOutput[]
}

const ASKED: TransactionOutput = { kind: 'send', why: 'asked' }
const UNASKED: TransactionOutput = { kind: 'send', why: 'unasked' }
const TERMINATED: TransactionOutput = { kind: 'terminated' }

// Made once, since a flood begins as many transactions as there are packets.
const BEGUN = {
  invite: begun('INVITE', false),
  reliableInvite: begun('INVITE', true),
  other: begun('non-INVITE', false),
  reliableOther: begun('non-INVITE', true),
}

// What the first and only response to a request does, which is what becomes of nearly all.
const ANSWERED = {
  other: answered(BEGUN.other.state),
  reliableOther: answered(BEGUN.reliableOther.state),
}

/** The transaction of a request that has just come in. One of an ACK takes retransmissions in, and no more. */
export function beginTransaction(method: string, isReliable: boolean): TransactionStep {
  if (method === 'INVITE') return isReliable ? BEGUN.reliableInvite : BEGUN.invite
  return isReliable ? BEGUN.reliableOther : BEGUN.other
}

/** What an input does to a transaction. An input that the state has no arrow for changes nothing. */
export function stepTransaction(state: TransactionState, input: TransactionInput): TransactionStep {
  switch (input.kind) {
    case 'request':
      return isRepeatedOnRequest(state) ? { state, outputs: [ASKED] } : ignored(state)
    case 'ack':
      return acknowledged(state)
    case 'respond':
      return input.status < 200 ? provisional(state) : final(state, input.status, input.mayRetransmit)
    case 'timer':
      return fired(state, input.timer)
    case 'transport-error':
      return failed(state)
    default:
      return input satisfies never
  }
}

/** Whether the core gave a final response. */
export function isAnswered(state: TransactionState): boolean {
  return state.name !== 'trying' && state.name !== 'proceeding'
}

function begun(machine: TransactionState['machine'], isReliable: boolean): TransactionStep {
  const state: TransactionState = {
    machine,
    name: machine === 'INVITE' ? 'proceeding' : 'trying',
    isReliable,
    hasResponse: false,
    endsBy: 'lifetime',
    repeatsBy: null,
    repeatAfterMs: 0,
    repeatsLeft: 0,
  }
  return { state, outputs: [start('lifetime', REMEMBERED_MS)] }
}

/**
 * RFC 6026 §7.1: in Accepted a request that comes again is absorbed, since the core repeats its 2xx by the clock. Where
 * it does not, because nothing is sent to that source unasked, the request is what asks for it.
 */
function isRepeatedOnRequest({ name, hasResponse, repeatsBy }: TransactionState): boolean {
  if (name === 'accepted') return repeatsBy === null
  return hasResponse && (name === 'proceeding' || name === 'completed')
}

function acknowledged(state: TransactionState): TransactionStep {
  if (state.machine === 'non-INVITE') return ignored(state)
  if (state.name === 'accepted') {
    // RFC 3261 §13.3.1.4: the ACK ends the retransmissions of the 2xx, not the transaction (RFC 6026 §7.1).
    return state.repeatsBy === null
      ? ignored(state)
      : { state: { ...state, repeatsBy: null }, outputs: [{ kind: 'stop', timer: '2xx' }] }
  }
  if (state.name !== 'completed') return ignored(state)
  // RFC 3261 §17.2.1: Timer I is T4, zero over a reliable transport.
  if (state.isReliable) return terminated(state)
  return {
    state: { ...state, name: 'confirmed', repeatsBy: null, endsBy: 'I' },
    outputs: [...stopsOf(state), start('I', T4_MS)],
  }
}

function provisional(state: TransactionState): TransactionStep {
  if (isAnswered(state)) return ignored(state)
  const next: TransactionState = { ...state, name: 'proceeding', hasResponse: true }
  const send = state.hasResponse ? UNASKED : ASKED
  // An INVITE may ring. Only the first provisional response makes its time longer, or a core could go on for ever.
  return state.machine === 'INVITE' && !state.hasResponse
    ? { state: next, outputs: [send, { kind: 'stop', timer: 'lifetime' }, start('lifetime', RINGING_MS)] }
    : { state: next, outputs: [send] }
}

function final(state: TransactionState, status: number, mayRetransmit: number): TransactionStep {
  const isSuccess = status < 300
  if (state.name === 'accepted' && isSuccess) return repeated(state) // RFC 6026 §7.1: a 2xx of the core is passed on
  if (isAnswered(state)) return ignored(state)
  if (state === BEGUN.other.state) return ANSWERED.other
  if (state === BEGUN.reliableOther.state) return ANSWERED.reliableOther
  if (state.machine === 'non-INVITE') return answered(state)
  const next: TransactionState = { ...state, hasResponse: true }
  const outputs = answering(state)
  return isSuccess
    ? repeating({ ...next, name: 'accepted', endsBy: 'L' }, '2xx', mayRetransmit, outputs)
    : repeating({ ...next, name: 'completed', endsBy: 'H' }, 'G', mayRetransmit, outputs)
}

/** RFC 3261 §17.2.2: Timer J is 64*T1, zero over a reliable transport. */
function answered(state: TransactionState): TransactionStep {
  const next: TransactionState = { ...state, hasResponse: true }
  return state.isReliable
    ? { state: ended(next), outputs: [...answering(state), TERMINATED] }
    : { state: { ...next, name: 'completed', endsBy: 'J' }, outputs: [...answering(state), start('J', REMEMBERED_MS)] }
}

function answering(state: TransactionState): readonly TransactionOutput[] {
  return [state.hasResponse ? UNASKED : ASKED, ...stopsOf(state)]
}

/** RFC 3261 §17.2.1 and §13.3.1.4: a final response is sent again after T1, over datagrams only. */
function repeating(
  state: TransactionState & { readonly endsBy: EndTimer },
  timer: RepeatTimer,
  mayRetransmit: number,
  sent: readonly TransactionOutput[],
): TransactionStep {
  const outputs = [...sent, start(state.endsBy, REMEMBERED_MS)]
  if (state.isReliable || mayRetransmit < 1) return { state: { ...state, repeatsLeft: mayRetransmit }, outputs }
  return {
    state: { ...state, repeatsLeft: mayRetransmit, repeatsBy: timer, repeatAfterMs: T1_MS },
    outputs: [...outputs, start(timer, T1_MS)],
  }
}

/** The core itself sends its 2xx again; it pays as the clock's retransmissions do. */
function repeated(state: TransactionState): TransactionStep {
  if (state.repeatsLeft < 1) return ignored(state)
  const repeatsLeft = state.repeatsLeft - 1
  return repeatsLeft < 1 && state.repeatsBy !== null
    ? {
        state: { ...state, repeatsLeft, repeatsBy: null },
        outputs: [UNASKED, { kind: 'stop', timer: state.repeatsBy }],
      }
    : { state: { ...state, repeatsLeft }, outputs: [UNASKED] }
}

/** A timer that does not run any more changes nothing. */
function fired(state: TransactionState, timer: TransactionTimer): TransactionStep {
  if (timer === state.endsBy) return terminated({ ...state, endsBy: null })
  if (timer !== state.repeatsBy) return ignored(state)
  const repeatsLeft = state.repeatsLeft - 1
  if (repeatsLeft < 1) return { state: { ...state, repeatsLeft, repeatsBy: null }, outputs: [UNASKED] }
  const repeatAfterMs = Math.min(2 * state.repeatAfterMs, T2_MS)
  return { state: { ...state, repeatsLeft, repeatAfterMs }, outputs: [UNASKED, start(timer, repeatAfterMs)] }
}

function failed(state: TransactionState): TransactionStep {
  // RFC 6026 §7.1: an INVITE transaction stays, or a retransmission would be taken for a new call.
  if (state.machine === 'INVITE' || state.name === 'trying' || state.name === 'terminated') return ignored(state)
  return terminated(state)
}

function terminated(state: TransactionState): TransactionStep {
  return { state: ended(state), outputs: [...stopsOf(state), TERMINATED] }
}

function ended(state: TransactionState): TransactionState {
  return { ...state, name: 'terminated', endsBy: null, repeatsBy: null }
}

function ignored(state: TransactionState): TransactionStep {
  return { state, outputs: [] }
}

function stopsOf({ endsBy, repeatsBy }: TransactionState): TransactionOutput[] {
  const outputs: TransactionOutput[] = []
  if (repeatsBy !== null) outputs.push({ kind: 'stop', timer: repeatsBy })
  if (endsBy !== null) outputs.push({ kind: 'stop', timer: endsBy })
  return outputs
}

function start(timer: TransactionTimer, afterMs: number): TransactionOutput {
  return { kind: 'start', timer, afterMs }
}
