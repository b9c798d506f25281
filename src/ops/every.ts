// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** Calls `action` every `intervalMs` until the function that it gives is called. Keeps no process or thread alive. */
export function every(intervalMs: number, action: () => void): () => void {
  const timer = setInterval(action, intervalMs).unref()
  return () => clearInterval(timer)
}
