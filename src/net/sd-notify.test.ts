// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryFolder } from '../../test/daemon-process.ts'
import { openNotifySocket as openReceiver } from '../../test/notify-socket.ts'
import { testWith } from '../../test/peers.ts'
import { waitFor } from '../../test/wait-for.ts'
import { openNotifySocket } from './sd-notify.ts'

const failOnTrouble = { onTrouble: (text: string) => assert.fail(text) }

for (const [way, peers] of [
  ['direct', ['python3']],
  ['program', ['python3', 'systemd-analyze']], // systemd-notify comes with it
] as const) {
  testWith(peers, `what is told ${way} arrives in its order`, async (t) => {
    const path = join(await temporaryFolder(t), 'notify')
    const receiver = await openReceiver(t, path)
    process.env['NOTIFY_SOCKET'] = path // what a service manager sets, and systemd-notify reads
    t.after(() => delete process.env['NOTIFY_SOCKET'])
    let isTold = false // then the receiver goes, and systemd-notify, which still waits for its nod, complains
    const onTrouble = (text: string) => assert.ok(isTold, text)
    const notify = await openNotifySocket(path, { onTrouble, way })
    for (const lines of ['READY=1\nSTATUS=Grüße', 'WATCHDOG=1', 'STOPPING=1']) notify(lines)
    const told = await waitFor('three datagrams', () => {
      const all = receiver.told()
      return all.some(({ lines }) => lines.startsWith('STOPPING')) ? all : null
    })
    isTold = true
    assert.deepEqual(
      told.map(({ lines }) => lines.trimEnd()),
      ['READY=1\nSTATUS=Grüße', 'WATCHDOG=1', 'STOPPING=1'],
    )
  })
}

testWith(['python3'], 'a socket in the abstract namespace is reached', async (t) => {
  const path = `@sentrypeer-${randomUUID()}`
  const receiver = await openReceiver(t, path)
  const notify = await openNotifySocket(path, { ...failOnTrouble, way: 'direct' })
  notify('READY=1')
  await waitFor('READY=1', () => receiver.told('READY=1').length === 1)
})

testWith(['python3'], 'what a busy manager does not take is told when it has time', async (t) => {
  const path = join(await temporaryFolder(t), 'notify')
  const receiver = await openReceiver(t, path)
  receiver.signal('SIGSTOP')
  const notify = await openNotifySocket(path, { ...failOnTrouble, way: 'direct' })
  const sent = Array.from({ length: 30 }, (_, at) => `STATUS=${at}`)
  for (const lines of sent) notify(lines)
  receiver.signal('SIGCONT')
  await waitFor('thirty datagrams', () => receiver.told().length === sent.length)
  assert.deepEqual(
    receiver.told().map(({ lines }) => lines),
    sent,
  )
})

test('a manager that is not there is no error, and memory for it is bounded', async (t) => {
  const troubles: string[] = []
  const path = join(await temporaryFolder(t), 'notify')
  const notify = await openNotifySocket(path, { onTrouble: (text) => troubles.push(text), way: 'direct' })
  for (let times = 0; times < 40; times++) notify('WATCHDOG=1')
  assert.equal(troubles.length, 8)
  assert.equal(troubles[0], `${path} takes nothing: the service manager is not told`)
})

test('a system without systemd-notify is told of', async (t) => {
  const troubles: string[] = []
  const notify = await openNotifySocket('/nonexistent/notify', {
    onTrouble: (text) => troubles.push(text),
    way: 'program',
  })
  const path = process.env['PATH']
  process.env['PATH'] = await temporaryFolder(t)
  notify('READY=1')
  await waitFor('the trouble', () => troubles.length === 1)
  process.env['PATH'] = path
  assert.match(troubles[0] ?? '', /systemd-notify could not reach \/nonexistent\/notify: .*ENOENT/)
})
