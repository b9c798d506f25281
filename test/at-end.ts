// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { TestContext } from 'node:test'

type Action = () => unknown

const actionsOf = new WeakMap<TestContext, Action[]>()

/**
 * Does `action` when the test is over: what was set up last is taken down first, so that a folder goes after the
 * programs that write in it. (Hooks of `t.after` run in the order that they were made.) All are done even if one throws.
 */
export function atEnd(t: TestContext, action: Action): void {
  const known = actionsOf.get(t)
  if (known !== undefined) return void known.push(action)
  const actions = [action]
  actionsOf.set(t, actions)
  t.after(async () => {
    const failures: unknown[] = []
    for (let next = actions.pop(); next !== undefined; next = actions.pop()) {
      try {
        await next()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures)
  })
}
