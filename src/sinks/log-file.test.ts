// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { temporaryFolder } from '../store/sqlite/fixture.ts'
import { openLogFile } from './log-file.ts'

const quiet = { onTrouble: () => {}, onRecovered: () => {}, onLost: (lines: number) => assert.fail(`${lines} lost`) }
const LINE = `${'x'.repeat(999)}\n`

function makePipe(t: TestContext): string {
  const path = join(temporaryFolder(t), 'pipe')
  execFileSync('mkfifo', [path])
  return path
}

/** A reader that reads only when asked, as one that is slow. */
async function openReader(t: TestContext, path: string): Promise<{ file: FileHandle; read: () => Promise<string> }> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  t.after(() => file.close())
  return {
    file,
    async read() {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(65_536)).catch((error) => {
        assert.equal(error.code, 'EAGAIN') // nothing in it yet
        return { buffer: Buffer.alloc(0), bytesRead: 0 }
      })
      return buffer.toString('utf8', 0, bytesRead)
    },
  }
}

test('a pipe that nobody reads is a clear error, not a start that hangs', { timeout: 5_000 }, async (t) => {
  await assert.rejects(openLogFile(makePipe(t), quiet), { code: 'LOG_NOT_WRITABLE', hint: /reads this pipe/ })
})

test('a slow reader of a pipe gets every line, in order, without a word of trouble, and no end at SIGHUP', async (t) => {
  const path = makePipe(t)
  const { read } = await openReader(t, path)
  const log = await openLogFile(path, { ...quiet, onTrouble: assert.fail, onRecovered: assert.fail })
  const text = Array.from({ length: 300 }, (_, at) => `${String(at).padEnd(999, 'x')}\n`).join('')
  await log.append(text, 300)
  assert.ok(log.waitingLines() > 0, 'a pipe holds 64 KiB')
  assert.equal(log.writtenLines() + log.waitingLines(), 300)
  let got = ''
  while (got.length < text.length) {
    got += await read()
    await delay(1) // lets the log have its turn
  }
  assert.equal(got, text)
  await log.reopen()
  await log.append('more\n', 1)
  assert.equal(await read(), 'more\n')
  await log.close()
  assert.deepEqual([log.writtenLines(), log.waitingLines(), log.droppedLines()], [301, 0, 0])
})

test('closing on a pipe whose reader stopped ends in time and tells how many lines are lost', async (t) => {
  const path = makePipe(t)
  await openReader(t, path)
  const lost: number[] = []
  const log = await openLogFile(path, { ...quiet, onLost: (lines) => lost.push(lines) })
  for (let batch = 0; batch < 20; batch++) await log.append(LINE.repeat(10), 10)
  const [written, waiting] = [log.writtenLines(), log.waitingLines()]
  assert.ok(written > 0 && waiting > 0 && written + waiting === 200, `${written} written, ${waiting} waiting`)
  const startedMs = performance.now()
  await log.close()
  assert.ok(performance.now() - startedMs < 2_000)
  assert.deepEqual([lost, log.droppedLines(), log.writtenLines()], [[waiting], waiting, written])
})

test('a full disk is trouble at once, and what it did not take is told of when closing', async () => {
  const said: string[] = []
  const log = await openLogFile('/dev/full', {
    onTrouble: (text) => said.push(text),
    onRecovered: assert.fail,
    onLost: (lines) => said.push(`${lines} lost`),
  })
  assert.equal(log.trouble(), null)
  await log.append('one\n', 1)
  await log.append('two\nthree\n', 2)
  assert.match(log.trouble() ?? '', /cannot write \/dev\/full, .*ENOSPC/)
  assert.deepEqual([log.writtenLines(), log.waitingLines()], [0, 3])
  await log.close()
  assert.match(said[0] ?? '', /ENOSPC/)
  assert.equal(said.at(-1), '3 lost')
  assert.equal(log.droppedLines(), 3)
})
