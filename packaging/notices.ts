// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A package with code in the bundle. */
export interface BundledPackage {
  readonly name: string
  readonly version: string
  readonly license: string
  /** The licence and, where there is one, the NOTICE file. */
  readonly text: string
}

// What may be part of a program under GPL-2.0-only or GPL-3.0-only, by the FSF's list of licences. Apache-2.0 goes
// with version 3 alone; the notices say what follows from that.
const ACCEPTED_LICENSES = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT']

const PACKAGE_FOLDER = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/

/**
 * The packages that `inputs` (the files of esbuild's metafile, relative to `root`) belong to, sorted by name. Throws
 * when one has a licence that is not accepted, or no licence text, in its folder or in `licencesFolder`.
 */
export function bundledPackages(root: string, inputs: readonly string[], licencesFolder: string): BundledPackage[] {
  const folders = new Set(inputs.flatMap((input) => PACKAGE_FOLDER.exec(input)?.[0] ?? []))
  const packages = [...folders].map((folder) => readPackage(join(root, folder), licencesFolder))
  const once = new Map(packages.map((one) => [`${one.name}@${one.version}`, one]))
  return [...once.keys()].sort().flatMap((key) => once.get(key) ?? [])
}

/** The text of THIRD-PARTY-NOTICES.txt. */
export function noticesText(packages: readonly BundledPackage[]): string {
  const apache = packages.some(({ license }) => license === 'Apache-2.0')
  const head = [
    'SentryPeer is free software under version 2 or version 3 of the GNU General Public License.',
    'The files beside this one contain parts of the packages below, under the terms given with each.',
    ...(apache ? ['', 'Apache-2.0 fits version 3 of the GPL only: pass these files on under that version.'] : []),
  ]
  const sections = packages.map(
    ({ name, version, license, text }) => `${'-'.repeat(80)}\n${name} ${version} (${license})\n\n${text.trim()}\n`,
  )
  return `${head.join('\n')}\n\n${sections.join('\n')}`
}

function readPackage(folder: string, licencesFolder: string): BundledPackage {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  if (!ACCEPTED_LICENSES.includes(license)) throw new Error(`${name} ${version} has licence ${license}: not accepted`)
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
  const byHand = join(licencesFolder, `${name.replace('/', '+')}.txt`)
  const paths = files.length > 0 ? files.sort().map((file) => join(folder, file)) : [byHand].filter(existsSync)
  if (paths.length === 0) throw new Error(`${name} ${version} has no licence text; put it into ${byHand}`)
  return { name, version, license, text: paths.map((path) => readFileSync(path, 'utf8')).join('\n') }
}
