// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { OperatorError } from '../ops/errors.ts'
import type { ServiceReport } from './service-report.ts'
import { type Daemon, supervise } from './supervise.ts'

const NO_SERVICE: ServiceReport | null = null

/** A daemon that does what it is told, and all that was said and done around it. */
function scene({ stopDeadlineMs = 60_000, stop = async () => {}, reopen = async () => {}, service = NO_SERVICE } = {}) {
  const events = new EventEmitter()
  const clock = { ms: 0 }
  const done: string[] = []
  const started = Promise.withResolvers<void>()
  const failed = Promise.withResolvers<never>()
  const daemon: Daemon = {
    failed: failed.promise,
    ping: async () => {},
    status: () => 'fine',
    stop: () => {
      done.push('stop')
      return stop()
    },
    reopen: () => {
      done.push('reopen')
      return reopen()
    },
  }
  const say = (text: string) => void done.push(text)
  const exitCode = supervise(() => started.promise.then(() => daemon), {
    events,
    log: { warn: say, notice: say, info: say, debug: say },
    service,
    complain: (error) => say(`complaint: ${error instanceof Error ? error.message : error}`),
    stopDeadlineMs,
    nowMs: () => clock.ms,
  })
  return { clock, events, done, started, failed, exitCode }
}

/** The same with the start behind it. */
async function running(...options: Parameters<typeof scene>) {
  const all = scene(...options)
  all.started.resolve()
  await setImmediate()
  return all
}

const FOREVER = () => new Promise<void>(() => {})

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} stops the daemon and the process leaves with 0`, async () => {
    const { events, done, exitCode } = await running()
    events.emit(signal, signal)
    assert.equal(await exitCode, 0)
    assert.deepEqual(done, ['stop'])
  })
}

test('a stop during the start waits for the start and then stops', async () => {
  const { events, done, started, exitCode } = scene()
  events.emit('SIGTERM', 'SIGTERM')
  await setImmediate()
  assert.deepEqual(done, [])
  started.resolve()
  assert.equal(await exitCode, 0)
  assert.deepEqual(done, ['stop'])
})

test('a start that fails during a stop is told, once', async () => {
  const { events, done, started, exitCode } = scene()
  events.emit('SIGTERM', 'SIGTERM')
  started.reject(new OperatorError('LISTEN_FAILED', 'port taken', 'Free it.'))
  assert.equal(await exitCode, 1)
  assert.deepEqual(done, ['complaint: port taken'])
})

test('a second signal leaves with 1 without waiting', async () => {
  const stopped = Promise.withResolvers<void>()
  const { clock, events, done, exitCode } = await running({ stop: () => stopped.promise })
  events.emit('SIGTERM', 'SIGTERM')
  clock.ms += 1_000
  events.emit('SIGINT', 'SIGINT')
  assert.equal(await exitCode, 1)
  assert(done.includes('SIGINT again: leaving without waiting'))
  stopped.resolve()
})

test('a signal that comes twice at once, as Ctrl-C under npm does, is one wish to stop', async () => {
  const stopped = Promise.withResolvers<void>()
  const { clock, events, done, exitCode } = await running({ stop: () => stopped.promise })
  events.emit('SIGINT', 'SIGINT')
  clock.ms += 20
  events.emit('SIGINT', 'SIGINT')
  stopped.resolve()
  assert.equal(await exitCode, 0)
  assert.deepEqual(done, ['stop'])
})

test('a stop that takes too long leaves with 1 and says so', async () => {
  const { events, done, exitCode } = await running({ stop: FOREVER, stopDeadlineMs: 1 })
  events.emit('SIGTERM', 'SIGTERM')
  assert.equal(await exitCode, 1)
  assert.match(done.at(-1) ?? '', /still not stopped after 0\.001 s/)
})

test('a start that never ends can be stopped', async () => {
  const { events, exitCode } = scene({ stopDeadlineMs: 1 })
  events.emit('SIGTERM', 'SIGTERM')
  assert.equal(await exitCode, 1)
})

test('a stop that fails is told and leaves with its code', async () => {
  const { events, done, exitCode } = await running({ stop: () => Promise.reject(new Error('stuck')) })
  events.emit('SIGTERM', 'SIGTERM')
  assert.equal(await exitCode, 70)
  assert.deepEqual(done, ['stop', 'complaint: stuck'])
})

for (const [error, expected] of [
  [new OperatorError('DB_CORRUPT', 'broken', 'Mend it.'), 1],
  [new Error('broken'), 70],
] as const) {
  test(`a start that fails with ${error.name} leaves with ${expected}`, async () => {
    const { done, started, exitCode } = scene()
    started.reject(error)
    assert.equal(await exitCode, expected)
    assert.deepEqual(done, ['complaint: broken'])
  })

  test(`a daemon that fails with ${error.name} is stopped and the process leaves with ${expected}`, async () => {
    const { done, failed, exitCode } = await running()
    failed.reject(error)
    assert.equal(await exitCode, expected)
    assert.deepEqual(done, ['complaint: broken', 'stop'])
  })
}

test('SIGHUP reopens logs and nothing else', async () => {
  const { events, done } = await running()
  events.emit('SIGHUP', 'SIGHUP')
  events.emit('SIGHUP', 'SIGHUP')
  await setImmediate()
  assert.deepEqual(done, ['reopen', 'reopen'])
})

test('logs that cannot be reopened are told, and the daemon goes on', async () => {
  const { events, done, exitCode } = await running({ reopen: () => Promise.reject(new Error('read-only')) })
  events.emit('SIGHUP', 'SIGHUP')
  await setImmediate()
  assert.deepEqual(done, ['reopen', 'could not reopen the logs: read-only'])
  events.emit('SIGTERM', 'SIGTERM')
  assert.equal(await exitCode, 0)
})

test('SIGHUP during the start or the stop is passed over', async () => {
  const { events, done, started, exitCode } = scene()
  events.emit('SIGHUP', 'SIGHUP')
  started.resolve()
  await setImmediate()
  events.emit('SIGTERM', 'SIGTERM')
  events.emit('SIGHUP', 'SIGHUP')
  assert.equal(await exitCode, 0)
  assert.deepEqual(done, ['stop'])
})

test('a service manager is told of the start, of each opening of the logs and of the stop, in their order', async () => {
  const told: string[] = []
  const service: ServiceReport = {
    ready: (daemon) => told.push(`ready: ${daemon.status()}`),
    reloading: () => told.push('reloading'),
    reloaded: () => told.push('reloaded'),
    stopping: () => told.push('stopping'),
  }
  const reopened = Promise.withResolvers<void>()
  const stopped = Promise.withResolvers<void>()
  const { events, exitCode } = await running({ service, reopen: () => reopened.promise, stop: () => stopped.promise })
  events.emit('SIGHUP', 'SIGHUP')
  assert.deepEqual(told, ['ready: fine', 'reloading'])
  reopened.reject(new Error('read-only'))
  await setImmediate()
  assert.deepEqual(told.slice(2), ['reloaded'], 'it goes on with or without')
  events.emit('SIGTERM', 'SIGTERM')
  assert.deepEqual(told.slice(3), ['stopping'], 'before the stop is over')
  stopped.resolve()
  assert.equal(await exitCode, 0)
  assert.equal(told.length, 4)
})

test('a service manager is never told that a daemon is ready which is to stop, or failed to start', async () => {
  for (const end of ['SIGTERM', 'failure']) {
    const told: string[] = []
    const never = () => told.push('ready')
    const service = { ready: never, reloading: never, reloaded: never, stopping: () => told.push('stopping') }
    const { events, started, exitCode } = scene({ service })
    if (end === 'SIGTERM') {
      events.emit('SIGTERM', 'SIGTERM')
      started.resolve()
    } else started.reject(new Error('broken'))
    await exitCode
    assert.deepEqual(told, ['stopping'])
  }
})

test('an uncaught exception is told, the daemon is stopped, and the process leaves with 70', async () => {
  const { events, done, exitCode } = await running()
  events.emit('uncaughtException', new Error('bug'))
  assert.equal(await exitCode, 70)
  assert.deepEqual(done, ['complaint: bug', 'stop'])
})

test('an uncaught exception in the middle of a stop changes the exit code and not the stop', async () => {
  const stopped = Promise.withResolvers<void>()
  const { events, done, exitCode } = await running({ stop: () => stopped.promise })
  events.emit('SIGTERM', 'SIGTERM')
  events.emit('uncaughtException', new Error('bug'))
  stopped.resolve()
  assert.equal(await exitCode, 70)
  assert.deepEqual(done.toSorted(), ['complaint: bug', 'stop'])
})

test('a stop that fails after a failure leaves with the code of the first', async () => {
  const { done, failed, exitCode } = await running({ stop: () => Promise.reject(new Error('stuck')) })
  failed.reject(new OperatorError('DB_CORRUPT', 'broken', 'Mend it.'))
  assert.equal(await exitCode, 1)
  assert.deepEqual(done, ['complaint: broken', 'stop', 'complaint: stuck'])
})

test('the first signal while a failure is being cleaned up waits for that too', async () => {
  const stopped = Promise.withResolvers<void>()
  const { events, done, failed, exitCode } = await running({ stop: () => stopped.promise })
  failed.reject(new OperatorError('DB_CORRUPT', 'broken', 'Mend it.'))
  await setImmediate()
  events.emit('SIGTERM', 'SIGTERM')
  stopped.resolve()
  assert.equal(await exitCode, 1)
  assert.deepEqual(done, ['complaint: broken', 'stop'])
})

test('an exception thrown by the start itself, not by its promise, is told too', async () => {
  const done: unknown[] = []
  const exitCode = await supervise(
    () => {
      throw new Error('at once')
    },
    {
      events: new EventEmitter(),
      log: { warn() {}, notice() {}, info() {}, debug() {} },
      service: null,
      complain: (error) => done.push(error),
      stopDeadlineMs: 1,
      nowMs: () => 0,
    },
  )
  assert.equal(exitCode, 70)
  assert.equal(done.length, 1)
})
