// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'
import { temporaryFolder } from './daemon-process.ts'
import { type Ended, run, start } from './run.ts'
import { waitFor } from './wait-for.ts'

const END_AFTER_S = 60 // it ends itself then, whatever has become of the test

/** A telephone: baresip without sound, told what to do over its standard input. */
export interface Baresip {
  /** One of its own commands: `/dial 100`, `/hangup`. */
  command(text: string): void
  /** All it said, without colours. */
  output(): string
  /** Resolves when it said that. */
  said(text: RegExp, withinMs?: number): Promise<void>
  /** Signs off and ends. */
  quit(): Promise<Ended>
}

/** Starts baresip, which registers at once at 127.0.0.1 as `user`. */
export async function startBaresip(
  t: TestContext,
  account: {
    readonly port: number
    readonly user: string
    readonly password: string
    readonly transport?: 'udp' | 'tcp'
  },
): Promise<Baresip> {
  const { port, user, password, transport = 'udp' } = account
  const folder = await temporaryFolder(t)
  const uri = `<sip:${user}@127.0.0.1:${port};transport=${transport}>`
  await writeFile(join(folder, 'accounts'), `${uri};auth_user=${user};auth_pass=${password};regint=60\n`)
  await writeFile(join(folder, 'contacts'), '')
  await writeFile(join(folder, 'config'), configText(await moduleFolder()))

  const { child, ended, stdout, stderr } = await start(['baresip', '-f', folder, '-t', String(END_AFTER_S)])
  const output = () => `${stdout()}${stderr()}`.replace(/\x1b\[[0-9;]*m/g, '')
  const quit = () => {
    child.stdin?.write('/quit\n')
    return ended
  }
  atEnd(t, async () => {
    if (child.exitCode === null) child.kill('SIGKILL')
    await ended
  })
  return {
    command: (text) => void child.stdin?.write(`${text}\n`),
    output,
    async said(text, withinMs = 10_000) {
      await waitFor(`baresip to say ${text}`, () => text.test(output()), { withinMs, state: output })
    },
    quit,
  }
}

/** No module that opens a sound device, a socket of its own, or asks a server on the internet. */
function configText(modules: string): string {
  return `sip_listen 127.0.0.1:0
net_interface 127.0.0.1
module_path ${modules}
module stdio.so
module g711.so
module_tmp account.so
module_app menu.so
`
}

/** It differs between Debian's releases. */
async function moduleFolder(): Promise<string> {
  const { stdout } = await run([
    'find',
    '/usr/lib',
    '-path',
    '*/baresip/modules/account.so',
    '-printf',
    '%h\\n',
    '-quit',
  ])
  return stdout.trim()
}
