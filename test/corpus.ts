// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { readdirSync, readFileSync } from 'node:fs'

const FOLDER = new URL('corpus/', import.meta.url)

/** The messages of corpus/ by name, byte for byte. */
export function corpusMessages(): Map<string, Buffer> {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.sip'))
  return new Map(files.sort().map((file) => [file.slice(0, -4), readFileSync(new URL(file, FOLDER))]))
}

/** corpus/expected.json as it stands there. */
export function corpusExpectations(): unknown {
  return JSON.parse(readFileSync(new URL('expected.json', FOLDER), 'utf8'))
}
