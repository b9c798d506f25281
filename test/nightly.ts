// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** `npm run test:nightly`: what takes minutes, or waits for the program's own deadlines. */
export const NIGHTLY = process.env['SENTRYPEER_TEST_NIGHTLY'] !== undefined
