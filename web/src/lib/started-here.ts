import { useSyncExternalStore } from 'react'

import { createStored } from './stored'

/** The runs that this browser started, so that pages can say "you" instead of "API". They are kept until sign-out. */
const storageKey = 'started-runs'
/** The number of runs that are kept. */
const most = 200

const started = createStored<ReadonlySet<string>>(
  storageKey,
  (stored) => new Set(Array.isArray(stored) ? stored.filter((id) => typeof id === 'string') : []),
  (ids) => [...ids],
)

/** The id of the run that a request started. Undefined if it started none. */
export function startedBy(method: string, url: string, status: number, location: string | null): string | undefined {
  // A cancellation is accepted in the same way, and starts nothing.
  if (method !== 'POST' || status !== 202 || /\/cancel$/.test(url.replace(/[?#].*$/, ''))) return undefined
  return /\/runs\/([0-9a-f-]{36})$/.exec(location ?? '')?.[1]
}

/** A fetch that remembers the runs that its requests started. */
export function rememberStarted(send: typeof fetch): typeof fetch {
  return async (input, init) => {
    const response = await send(input, init)
    const request = input instanceof Request ? input : undefined
    const url = request?.url ?? String(input)
    const method = (init?.method ?? request?.method ?? 'GET').toUpperCase()
    const id = startedBy(method, url, response.status, response.headers.get('Location'))
    if (id) started.set(new Set([...[...started.get()].slice(1 - most), id]))
    return response
  }
}

/** Forgets all runs, when another person may use the browser next. */
export function forgetStarted(): void {
  started.set(new Set())
}

/** Whether this browser started a run. */
export function useStartedHere(id: string): boolean {
  return useSyncExternalStore(started.subscribe, () => started.get().has(id))
}
