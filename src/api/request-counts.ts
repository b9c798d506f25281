// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** Answers counted by route and status. */
export interface RequestCounts {
  /** `route` is a route's own path, never the one a client sent; null when there was no route. */
  count(route: string | null, status: number): void
  readings(): { readonly labels: { readonly route: string; readonly status: string }; readonly value: number }[]
}

export function createRequestCounts(): RequestCounts {
  const counts = new Map<string, Map<number, number>>()
  return {
    count(route, status) {
      const key = route ?? 'none'
      const byStatus = counts.get(key) ?? new Map<number, number>()
      counts.set(key, byStatus)
      byStatus.set(status, (byStatus.get(status) ?? 0) + 1)
    },
    readings: () =>
      [...counts].flatMap(([route, byStatus]) =>
        [...byStatus].map(([status, value]) => ({ labels: { route, status: String(status) }, value })),
      ),
  }
}
