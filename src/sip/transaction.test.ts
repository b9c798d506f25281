// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  beginTransaction,
  isAnswered,
  stepTransaction,
  type TransactionInput,
  type TransactionOutput,
  type TransactionTimer,
} from './transaction.ts'

const REQUEST: TransactionInput = { kind: 'request' }
const ACK: TransactionInput = { kind: 'ack' }
const ERROR: TransactionInput = { kind: 'transport-error' }
const TIMERS = ['G', 'H', 'I', 'J', 'L', '2xx', 'lifetime'] as const

function fires(timer: TransactionTimer): TransactionInput {
  return { kind: 'timer', timer }
}

/** `request`, `ack`, `error`, `486`, `486/1` or the name of a timer. */
function read(word: string): TransactionInput {
  const timer = TIMERS.find((name) => name === word)
  if (timer !== undefined) return fires(timer)
  if (word === 'request' || word === 'ack') return { kind: word }
  if (word === 'error') return ERROR
  const [status, mayRetransmit = 'Infinity'] = word.split('/')
  return { kind: 'respond', status: Number(status), mayRetransmit: Number(mayRetransmit) }
}

/** `send asked`, `start G 500`, `stop H`, `terminated`. */
function text(output: TransactionOutput): string {
  switch (output.kind) {
    case 'send':
      return `send ${output.why}`
    case 'start':
      return `start ${output.timer} ${output.afterMs}`
    case 'stop':
      return `stop ${output.timer}`
    default:
      return output.kind
  }
}

// Method and transport, inputs of which the last one counts, the state it leads to, its outputs, and the arrow. A number
// is a response of the core, behind the slash how often it may be sent again; a capital letter or `2xx` a timer.
for (const [start, inputs, name, outputs, why] of [
  // RFC 3261 figure 7
  ['INVITE UDP', '> request', 'proceeding', '', 'RFC 3261 §17.2.1: without a response yet a retransmission gets none'],
  [
    'INVITE UDP',
    '> 100',
    'proceeding',
    'send asked, stop lifetime, start lifetime 180000',
    'RFC 3261 §17.2.1: a provisional response is sent, and gives 3 minutes to ring',
  ],
  ['INVITE UDP', '100 > 180', 'proceeding', 'send unasked', 'RFC 3261 §17.2.1: further provisional responses are sent'],
  [
    'INVITE UDP',
    '180 > request',
    'proceeding',
    'send asked',
    'RFC 3261 §17.2.1: a retransmission gets the provisional response again',
  ],
  ['INVITE UDP', '180 > ack', 'proceeding', '', 'RFC 3261 §17.2.1: an ACK before a final response means nothing'],
  [
    'INVITE UDP',
    '> 486',
    'completed',
    'send asked, stop lifetime, start H 32000, start G 500',
    'RFC 3261 §17.2.1: a 300-699 is sent',
  ],
  [
    'INVITE UDP',
    '180 > 300',
    'completed',
    'send unasked, stop lifetime, start H 32000, start G 500',
    'RFC 3261 §17.2.1: a 300-699 behind a provisional response was not asked for',
  ],
  [
    'INVITE TCP',
    '> 486',
    'completed',
    'send asked, stop lifetime, start H 32000',
    'RFC 3261 §17.2.1: no Timer G over a reliable transport',
  ],
  [
    'INVITE UDP',
    '486 > request',
    'completed',
    'send asked',
    'RFC 3261 §17.2.1: a retransmission gets the final response again',
  ],
  [
    'INVITE TCP',
    '486 > request',
    'completed',
    'send asked',
    'RFC 3261 §17.2.1: and so it does over a reliable transport',
  ],
  [
    'INVITE UDP',
    '486 > G',
    'completed',
    'send unasked, start G 1000',
    'RFC 3261 §17.2.1: Timer G sends again and doubles',
  ],
  [
    'INVITE UDP',
    '486 G G G > G',
    'completed',
    'send unasked, start G 4000',
    'RFC 3261 §17.2.1: Timer G grows no longer than T2',
  ],
  [
    'INVITE UDP',
    '486 > ack',
    'confirmed',
    'stop G, stop H, start I 5000',
    'RFC 3261 §17.2.1: an ACK stops Timers G and H and starts I',
  ],
  [
    'INVITE TCP',
    '486 > ack',
    'terminated',
    'stop H, terminated',
    'RFC 3261 §17.2.1: Timer I is zero over a reliable transport',
  ],
  ['INVITE UDP', '486 > H', 'terminated', 'stop G, terminated', 'RFC 3261 §17.2.1: Timer H ends the wait for an ACK'],
  ['INVITE UDP', '486 > 500', 'completed', '', 'RFC 3261 §17.2.1: a second final response is discarded'],
  ['INVITE UDP', '486 > 200', 'completed', '', 'RFC 3261 §17.2.1: a 2xx is, behind another final response'],
  ['INVITE UDP', '486 ack > ack', 'confirmed', '', 'RFC 3261 §17.2.1: Confirmed absorbs further ACKs'],
  ['INVITE UDP', '486 ack > request', 'confirmed', '', 'RFC 3261 §17.2.1: Confirmed absorbs late retransmissions'],
  ['INVITE UDP', '486 ack > G', 'confirmed', '', 'RFC 3261 §17.2.1: a timer that was stopped does nothing'],
  ['INVITE UDP', '486 ack > I', 'terminated', 'terminated', 'RFC 3261 §17.2.1: Timer I ends it'],
  // RFC 6026 figure 5
  [
    'INVITE UDP',
    '> 200',
    'accepted',
    'send asked, stop lifetime, start L 32000, start 2xx 500',
    'RFC 6026 §7.1: a 2xx is sent',
  ],
  [
    'INVITE TCP',
    '> 200',
    'accepted',
    'send asked, stop lifetime, start L 32000',
    'RFC 6026 §7.1: Timer L is 64*T1 over any transport',
  ],
  ['INVITE UDP', '200 > request', 'accepted', '', 'RFC 6026 §7.1: Accepted absorbs retransmissions'],
  ['INVITE UDP', '200 > 200', 'accepted', 'send unasked', 'RFC 6026 §7.1: Accepted sends a further 2xx'],
  ['INVITE UDP', '200 > 486', 'accepted', '', 'RFC 6026 §7.1: no other final response is sent'],
  ['INVITE UDP', '200 > 180', 'accepted', '', 'RFC 6026 §7.1: nor a provisional one'],
  ['INVITE UDP', '200 > L', 'terminated', 'stop 2xx, terminated', 'RFC 6026 §7.1: Timer L ends it'],
  ['INVITE UDP', '180 > error', 'proceeding', '', 'RFC 6026 §7.1: a transport error leaves it Proceeding'],
  ['INVITE UDP', '486 > error', 'completed', '', 'RFC 6026 §7.1: a transport error leaves it Completed'],
  ['INVITE UDP', '200 > error', 'accepted', '', 'RFC 6026 §7.1: a transport error leaves it Accepted'],
  [
    'INVITE UDP',
    '200 > ack',
    'accepted',
    'stop 2xx',
    'RFC 6026 §7.1 and RFC 3261 §13.3.1.4: an ACK leaves it Accepted, and ends the repeats',
  ],
  ['INVITE UDP', '200 ack > ack', 'accepted', '', 'RFC 6026 §7.1: as does the next'],
  [
    'INVITE UDP',
    '200 > 2xx',
    'accepted',
    'send unasked, start 2xx 1000',
    'RFC 3261 §13.3.1.4: a 2xx without ACK is sent again after T1, then 2*T1',
  ],
  [
    'INVITE UDP',
    '200 2xx 2xx 2xx > 2xx',
    'accepted',
    'send unasked, start 2xx 4000',
    'RFC 3261 §13.3.1.4: and at last each T2',
  ],
  // RFC 3261 figure 8
  ['OPTIONS UDP', '> request', 'trying', '', 'RFC 3261 §17.2.2: Trying discards retransmissions'],
  ['OPTIONS UDP', '> 100', 'proceeding', 'send asked', 'RFC 3261 §17.2.2: a provisional response leads to Proceeding'],
  ['OPTIONS UDP', '100 > 183', 'proceeding', 'send unasked', 'RFC 3261 §17.2.2: Proceeding sends further ones'],
  ['OPTIONS UDP', '100 > request', 'proceeding', 'send asked', 'RFC 3261 §17.2.2: Proceeding answers a retransmission'],
  [
    'OPTIONS UDP',
    '100 > 200',
    'completed',
    'send unasked, stop lifetime, start J 32000',
    'RFC 3261 §17.2.2: Completed follows Proceeding',
  ],
  [
    'OPTIONS UDP',
    '> 404',
    'completed',
    'send asked, stop lifetime, start J 32000',
    'RFC 3261 §17.2.2: Completed follows Trying',
  ],
  [
    'OPTIONS TCP',
    '> 200',
    'terminated',
    'send asked, stop lifetime, terminated',
    'RFC 3261 §17.2.2: Timer J is zero over a reliable transport',
  ],
  ['OPTIONS UDP', '200 > request', 'completed', 'send asked', 'RFC 3261 §17.2.2: Completed answers a retransmission'],
  ['OPTIONS UDP', '200 > 404', 'completed', '', 'RFC 3261 §17.2.2: Completed discards other final responses'],
  ['OPTIONS UDP', '200 > J', 'terminated', 'terminated', 'RFC 3261 §17.2.2: Timer J ends it'],
  ['OPTIONS UDP', '> error', 'trying', '', 'RFC 3261 §17.2.2: Trying sends nothing that could fail'],
  [
    'OPTIONS UDP',
    '100 > error',
    'terminated',
    'stop lifetime, terminated',
    'RFC 3261 §17.2.2: a transport error ends Proceeding',
  ],
  [
    'OPTIONS UDP',
    '200 > error',
    'terminated',
    'stop J, terminated',
    'RFC 3261 §17.2.2: a transport error ends Completed',
  ],
  ['OPTIONS UDP', '200 > ack', 'completed', '', 'RFC 3261 §17.2.2: an ACK belongs to INVITE only'],
  // Ours
  ['OPTIONS UDP', '> lifetime', 'terminated', 'terminated', 'a request that nobody answers is forgotten'],
  ['OPTIONS UDP', '100 > lifetime', 'terminated', 'terminated', 'so is one with no final response'],
  ['INVITE UDP', '> lifetime', 'terminated', 'terminated', 'an INVITE that nobody answers is forgotten'],
  ['INVITE UDP', '180 > lifetime', 'terminated', 'terminated', 'so is one that rings'],
  [
    'INVITE UDP',
    '> 486/0',
    'completed',
    'send asked, stop lifetime, start H 32000',
    'who may get nothing unasked has no Timer G',
  ],
  ['INVITE UDP', '486/1 > G', 'completed', 'send unasked', 'who may get one response unasked gets one'],
  [
    'INVITE UDP',
    '486/1 G > request',
    'completed',
    'send asked',
    'who has had all that is unasked is answered when asking',
  ],
  ['INVITE UDP', '200/0 > request', 'accepted', 'send asked', 'what is not repeated unasked is sent when asked for'],
  ['INVITE UDP', '200/1 > 2xx', 'accepted', 'send unasked', 'a 2xx is repeated no more often either'],
  ['INVITE UDP', '200/1 > 200', 'accepted', 'send unasked, stop 2xx', 'a 2xx that the core repeats counts'],
  ['INVITE UDP', '200/1 200 > 200', 'accepted', '', 'a 2xx that the core repeats too often is not sent'],
  ['OPTIONS TCP', '200 > 200', 'terminated', '', 'what has ended stays so'],
] as const) {
  test(`${why} (${start} ${inputs})`, () => {
    const [method = '', transport] = start.split(' ')
    let step = beginTransaction(method, transport === 'TCP')
    for (const input of inputs.split(/[ >]+/).filter((word) => word !== ''))
      step = stepTransaction(step.state, read(input))
    assert.deepEqual([step.state.name, step.outputs.map(text).join(', ')], [name, outputs])
  })
}

test('a transaction begins with its lifetime', () => {
  const { state, outputs } = beginTransaction('INVITE', false)
  assert.equal(state.name, 'proceeding')
  assert.deepEqual(outputs.map(text), ['start lifetime 32000'])
  assert.equal(beginTransaction('REGISTER', false).state.name, 'trying')
})

for (const [inputs, expected] of [
  ['180', false],
  ['200', true],
  ['486 ack', true],
  ['lifetime', true],
] as const) {
  test(`an INVITE ${expected ? 'needs no' : 'still needs a'} final response after ${inputs}`, () => {
    let { state } = beginTransaction('INVITE', false)
    assert.equal(isAnswered(state), false)
    for (const input of inputs.split(' ')) state = stepTransaction(state, read(input)).state
    assert.equal(isAnswered(state), expected)
  })
}

const anyInput: fc.Arbitrary<TransactionInput> = fc.oneof(
  fc.constantFrom(REQUEST, ACK, ERROR),
  fc.record({
    kind: fc.constant('respond' as const),
    status: fc.integer({ min: 100, max: 699 }),
    mayRetransmit: fc.constantFrom(0, 1, 3, Number.POSITIVE_INFINITY),
  }),
  fc.record({ kind: fc.constant('timer' as const), timer: fc.constantFrom(...TIMERS) }),
)
const anyStart = [fc.constantFrom('INVITE', 'OPTIONS', 'BYE'), fc.boolean()] as const

/** Carries out outputs on a set of timers; complains of a start that runs already and a stop that does not. */
function runOutputs(running: Set<TransactionTimer>, outputs: readonly TransactionOutput[]): void {
  for (const output of outputs) {
    if (output.kind === 'start') {
      assert.ok(!running.has(output.timer), `${output.timer} runs already`)
      running.add(output.timer)
    } else if (output.kind === 'stop') assert.ok(running.delete(output.timer), `${output.timer} does not run`)
    else if (output.kind === 'terminated') assert.deepEqual([...running], [])
  }
}

test('whatever comes, the timers that run are the two of the state, none runs after the end, and all lead there', () => {
  fc.assert(
    fc.property(...anyStart, fc.array(anyInput), (method, isReliable, inputs) => {
      const running = new Set<TransactionTimer>()
      let { state, outputs } = beginTransaction(method, isReliable)
      runOutputs(running, outputs)
      const take = (input: TransactionInput) => {
        if (input.kind === 'timer') running.delete(input.timer)
        ;({ state, outputs } = stepTransaction(state, input))
        runOutputs(running, outputs)
        const own = [state.endsBy, state.repeatsBy].filter((timer) => timer !== null)
        assert.deepEqual([...running].sort(), own.sort())
        assert.equal(running.size === 0, state.name === 'terminated')
      }
      // A timer fires only while it runs.
      for (const input of inputs) if (input.kind !== 'timer' || running.has(input.timer)) take(input)
      for (let left = 3; running.size > 0 && left > 0; left--) if (state.endsBy !== null) take(fires(state.endsBy))
      assert.equal(state.name, 'terminated')
    }),
  )
})

test('a final response goes out once, and no more often unasked than it may', () => {
  fc.assert(
    fc.property(...anyStart, fc.integer({ min: 0, max: 5 }), fc.array(anyInput), (method, isReliable, most, inputs) => {
      let { state } = beginTransaction(method, isReliable)
      let unasked = 0
      for (const input of inputs) {
        const wasAnswered = isAnswered(state)
        const step = stepTransaction(state, input.kind === 'respond' ? { ...input, mayRetransmit: most } : input)
        state = step.state
        if (wasAnswered) unasked += step.outputs.filter((output) => text(output) === 'send unasked').length
      }
      assert.ok(unasked <= most, `${unasked} of ${most}`)
    }),
  )
})

test('a transaction that has ended takes no notice of anything', () => {
  fc.assert(
    fc.property(...anyStart, anyInput, (method, isReliable, input) => {
      const { state } = stepTransaction(beginTransaction(method, isReliable).state, fires('lifetime'))
      assert.deepEqual(stepTransaction(state, input), { state, outputs: [] })
    }),
  )
})
