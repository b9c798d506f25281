// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { createServiceReport, watchdogInterval } from './service-report.ts'

/** A report of a daemon that answers when it is told to, with a clock that is wound by hand. */
function scene(watchdogMs: number | null) {
  const told: string[] = []
  const timers: { intervalMs: number; action: () => void }[] = []
  const pings: PromiseWithResolvers<void>[] = []
  const report = createServiceReport({
    notify: (lines) => told.push(lines),
    watchdogMs,
    monotonicUs: () => 1_234_567n,
    every(intervalMs, action) {
      const timer = { intervalMs, action }
      timers.push(timer)
      return () => timers.splice(timers.indexOf(timer), 1)
    },
  })
  const daemon = {
    ping() {
      const ping = Promise.withResolvers<void>()
      pings.push(ping)
      return ping.promise
    },
    status: () => 'line one\nWATCHDOG=1',
  }
  const tick = async () => {
    for (const { action } of timers) action()
    await setImmediate()
  }
  const answer = async () => {
    for (const ping of pings) ping.resolve()
    await setImmediate()
  }
  return { told, timers, pings, report, daemon, tick, answer }
}

const STATUS = 'STATUS=line one\\nWATCHDOG=1'

test('each state is told in the words of sd_notify, and a status cannot add a line', () => {
  const { told, report, daemon } = scene(null)
  report.ready(daemon)
  report.reloading()
  report.reloaded()
  report.stopping()
  assert.deepEqual(told, [`READY=1\n${STATUS}`, 'RELOADING=1\nMONOTONIC_USEC=1234567', 'READY=1', 'STOPPING=1'])
})

test('nothing is timed where no watchdog waits', () => {
  const { timers, report, daemon } = scene(null)
  report.ready(daemon)
  assert.deepEqual(timers, [])
})

test('the watchdog is fed at half its interval, and only after the daemon has answered', async () => {
  const { told, timers, report, daemon, tick, answer } = scene(60_000)
  report.ready(daemon)
  assert.equal(timers[0]?.intervalMs, 30_000)
  await tick()
  assert.equal(told.length, 1)
  await answer()
  assert.deepEqual(told.slice(1), [`WATCHDOG=1\n${STATUS}`])
  await tick()
  await answer()
  assert.equal(told.length, 3)
})

test('a daemon that hangs is asked once and not fed, and is fed again when it comes round', async () => {
  const { told, pings, report, daemon, tick, answer } = scene(60_000)
  report.ready(daemon)
  for (let times = 0; times < 5; times++) await tick()
  assert.deepEqual([pings.length, told.length], [1, 1])
  await answer()
  await tick()
  await answer()
  assert.deepEqual([pings.length, told.length], [2, 3])
})

test('a database thread that died feeds no watchdog and is no error of its own', async () => {
  const { told, pings, report, daemon, tick } = scene(60_000)
  report.ready(daemon)
  await tick()
  pings[0]?.reject(new Error('the database thread ended with 1'))
  await tick()
  assert.equal(told.length, 1)
})

test('a daemon that stops is asked no more', () => {
  const { timers, report, daemon } = scene(60_000)
  report.ready(daemon)
  report.stopping()
  assert.deepEqual(timers, [])
})

test('a stop before the daemon is ready is told too', () => {
  const { told, report } = scene(60_000)
  report.stopping()
  assert.deepEqual(told, ['STOPPING=1'])
})

for (const [usec, pid, expected, why] of [
  ['60000000', '7', 60_000, 'is in microseconds'],
  ['60000000', undefined, 60_000, 'is for whoever sees it when no process is named'],
  ['60000000', '8', null, 'is not ours when it names another process'],
  [undefined, '7', null, 'is off when the variable is not set'],
  ['', '7', null, 'is off when the variable is empty'],
  ['0', '7', null, 'is off when it is zero'],
  ['-5', '7', null, 'is off when it is negative'],
  ['1e9', '7', null, 'is off when it is no whole number'],
] as const) {
  test(`a watchdog of WATCHDOG_USEC=${usec}, WATCHDOG_PID=${pid} ${why}`, () => {
    assert.equal(watchdogInterval(usec, pid, 7), expected)
  })
}
