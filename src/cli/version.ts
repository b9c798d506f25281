// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// An import and not a file read at run time: the bundle has the text inside and needs no package.json beside it.
import manifest from '../../package.json' with { type: 'json' }

/** The version of this program, from package.json. */
export const VERSION: string = manifest.version
