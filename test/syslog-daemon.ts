// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'
import { pathOf } from './peers.ts'
import { start } from './run.ts'
import { waitFor } from './wait-for.ts'

/** One line as rsyslog took it apart. */
export interface SyslogLine {
  /** `user.notice` */
  readonly priority: string
  /** `sentrypeer[123]:` */
  readonly tag: string
  readonly message: string
}

export interface SyslogDaemon {
  readonly socket: string
  lines(): Promise<SyslogLine[]>
  stop(): Promise<void>
}

/** Runs a real rsyslogd on a socket of its own in `folder`; the machine's syslog is not touched. */
export async function startSyslogDaemon(t: TestContext, folder: string): Promise<SyslogDaemon> {
  const [socket, output, config] = ['log', 'syslog', 'rsyslog.conf'].map((name) => join(folder, name))
  if (socket === undefined || output === undefined || config === undefined) throw new Error('three names make three')
  await writeFile(
    config,
    `module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${socket}" RateLimit.Interval="0")
template(name="parts" type="string" string="%pri-text% %syslogtag%%msg%\\n")
*.* action(type="omfile" file="${output}" template="parts")
`,
  )
  // A copy, since on Ubuntu AppArmor lets the installed one write in /var/log only.
  const program = join(folder, 'rsyslogd')
  await copyFile(pathOf('rsyslogd') ?? '', program)
  const { child, ended, stderr } = await start([program, '-n', '-f', config, '-i', join(folder, 'rsyslogd.pid')])
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  atEnd(t, stop)
  const isThere = () =>
    readFile(join(folder, 'rsyslogd.pid')).then(
      () => true,
      () => false,
    )
  await waitFor('rsyslogd to listen', isThere, { state: stderr })
  return {
    socket,
    stop,
    async lines() {
      const text = await readFile(output, 'utf8').catch(() => '') // made with the first line
      return text.split('\n').slice(0, -1).map(partsOf)
    },
  }
}

/** `user.notice<13> sentrypeer[123]: Source IP: …`; rsyslog adds the number to the name. */
function partsOf(line: string): SyslogLine {
  const [, priority = '', tag = '', message = ''] = /^(\S+?)(?:<\d+>)? (\S+?:) ?(.*)$/.exec(line) ?? []
  return { priority, tag, message }
}
