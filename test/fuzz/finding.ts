// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding } from './target.ts'

const MAX_TRIES = 2_000 // chosen: a second or so
const WITHIN_MS = 10_000 // for slow inputs

export const FOUND = join(import.meta.dirname, 'found')

/** Why `work` says that something is wrong, or what it threw. */
export function guarded(work: () => string | null): string | null {
  try {
    return work()
  } catch (error) {
    return `threw ${String(error).slice(0, 200)}`
  }
}

/** The shortest input that was found, by leaving out parts, for which `fails` still holds. */
export function minimised(bytes: Buffer, fails: (bytes: Buffer) => boolean): Buffer {
  const untilMs = performance.now() + WITHIN_MS
  let smallest = bytes
  let tries = 0
  for (let part = Math.ceil(bytes.length / 2); part >= 1; part = part === 1 ? 0 : Math.ceil(part / 2)) {
    for (let at = 0; at < smallest.length; ) {
      if (++tries > MAX_TRIES || performance.now() > untilMs) return smallest
      const shorter = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + part)])
      if (fails(shorter)) smallest = shorter
      else at += part
    }
  }
  return smallest
}

/** Writes the input and a note how to reproduce it into `folder`; the path of the input. */
export function keepFinding(
  { target, why, bytes, isAlone }: Finding,
  seed: number,
  index: number,
  folder = FOUND,
): string {
  mkdirSync(folder, { recursive: true })
  const name = `${target}-${seed}-${index}`
  const file = join(folder, `${name}.sip`)
  writeFileSync(file, bytes)
  const again = isAlone
    ? `npm run fuzz -- --file test/fuzz/found/${name}.sip`
    : `npm run fuzz -- --only ${target} --seed ${seed}   (it needs what came before it)`
  writeFileSync(join(folder, `${name}.txt`), `${target}: ${why}\nAgain: ${again}\nNode.js ${process.version}\n`)
  return file
}
