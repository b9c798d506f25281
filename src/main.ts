// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// The process: command line, signals, exit code. The one file that reads process.argv and process.env. What only one
// command needs is imported by that command, so that --help is quick.

import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { parseCommand } from './cli/command.ts'
import { complaint, exitCodeOf } from './cli/complaint.ts'
import { createServiceReport, type ServiceReport, watchdogInterval } from './cli/service-report.ts'
import { supervise } from './cli/supervise.ts'
import { VERSION } from './cli/version.ts'
import { type Config, loadConfig } from './config/load.ts'
import { createLog, createRepeatedNotice, type Log, type LogLevel } from './ops/log.ts'

const LAST_WORDS_MS = 500
const STOP_DEADLINE_MS = 5_000 // service managers and containers kill after 10 s or more
const NOTIFY_NOTICE_MS = 60_000
const MAX_UNREAD = 1024 * 1024 // chosen: far more than a reader that works ever lags behind

async function main(): Promise<void> {
  const command = parseCommand(process.argv.slice(2))
  switch (command.kind) {
    case 'help': {
      const { helpText } = await import('./config/help.ts')
      return print(helpText(VERSION))
    }
    case 'version':
      return print(`sentrypeer ${VERSION}\n`)
    case 'api-key': {
      const { randomBytes } = await import('node:crypto')
      const { newApiKeyText } = await import('./cli/api-key.ts')
      return print(newApiKeyText(randomBytes))
    }
    case 'config-check': {
      const { configReport } = await import('./cli/config-check.ts')
      const { NOBODY, readPbxSettings } = await import('./pbx.ts')
      const config = load(command.argv)
      for (const warning of config.warnings) createLog('notice', printError).warn(`warning: ${warning}`)
      await readPbxSettings(config.core, NOBODY) // the files that settings name
      return print(configReport(config))
    }
    case 'purge': {
      const { purge } = await import('./cli/purge.ts')
      process.on('SIGINT', () => process.exit(130)) // what is deleted is deleted; the rest stays
      process.on('SIGTERM', () => process.exit(143))
      const say = (text: string) => printError(`${text}\n`)
      return print(await purge(load(command.argv), command.before, { say, wallMs: Date.now }))
    }
    case 'run':
      return run(load(command.argv))
    default:
      return command satisfies never
  }
}

async function run(config: Config): Promise<void> {
  process.title = 'sentrypeer' // a key given as a flag must not be read off the process list
  const log = createLog(levelOf(config), printError, () => process.stderr.writableLength > MAX_UNREAD)
  process.on('warning', (warning) => log.debug(`Node.js: ${warning.name}: ${warning.message}`))
  for (const warning of config.warnings) log.warn(`warning: ${warning}`)
  const service = await serviceReport(log)
  const exitCode = await supervise(
    async () => {
      const { openStore } = await import('./open-store.ts')
      const opening = openStore(config, log)
      const { startDaemon } = await import('./daemon.ts')
      return startDaemon(config, { log, opening })
    },
    {
      events: process,
      log,
      service,
      complain: (error) => printError(complaint(error)),
      stopDeadlineMs: STOP_DEADLINE_MS,
      nowMs: () => performance.now(),
    },
  )
  log.end()
  await lastWords()
  process.exit(exitCode)
}

/** For the service manager that has started us, if one did that wants to be told: sd_notify(3). */
async function serviceReport(log: Log): Promise<ServiceReport | null> {
  const { NOTIFY_SOCKET: path, WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = process.env
  if (path === undefined || !/^[/@]./.test(path)) return null
  const { openNotifySocket } = await import('./net/sd-notify.ts')
  return createServiceReport({
    notify: await openNotifySocket(path, {
      onTrouble: createRepeatedNotice(log.warn, NOTIFY_NOTICE_MS, () => performance.now()),
    }),
    watchdogMs: watchdogInterval(usec, pid, process.pid),
    monotonicUs: () => process.hrtime.bigint() / 1_000n,
    every: (intervalMs, action) => {
      const timer = setInterval(action, intervalMs)
      return () => clearInterval(timer)
    },
  })
}

/** Waits until what was written to stderr is out, but not for a reader who reads no more: leaving drops what is left. */
function lastWords(): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(resolve, LAST_WORDS_MS)
    process.stderr.write('', () => {
      clearTimeout(deadline)
      resolve()
    })
  })
}

function load(argv: readonly string[]): Config {
  return loadConfig({ argv, env: process.env, homeDir: homedir(), readFile: (path) => readFileSync(path) })
}

function levelOf({ core }: Config): LogLevel {
  if (core.debug) return 'debug'
  return core.verbose ? 'info' : 'notice'
}

function print(text: string): void {
  process.stdout.write(text)
}

function printError(text: string): void {
  process.stderr.write(text)
}

// Somebody who reads our output may go away (`sentrypeer --help | head -1`, a log reader that restarts): the pipe's
// error must not end the daemon.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

// Node prints warnings about its own experimental parts; they mean nothing to an operator.
process.removeAllListeners('warning')

main().catch((error: unknown) => {
  printError(complaint(error))
  process.exitCode = exitCodeOf(error)
})
