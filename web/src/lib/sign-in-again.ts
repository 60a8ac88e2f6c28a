import type { SessionState } from '@parliament-explorer/sdk'

const mark = 'signed-in-at-provider'

/** What a browser has for it; given by tests. */
export type Browser = {
  storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
  fetch: (url: string, init: RequestInit) => Promise<Pick<Response, 'type'>>
  go: (url: string) => void
}

/** Remembers, in this tab, that somebody signed in at the identity provider. */
export function remember(session: SessionState, { storage }: Pick<Browser, 'storage'>): void {
  if (session.identity?.kind === 'oidc') storage.setItem(mark, '1')
}

/** Forgets it: they signed out. */
export function forget({ storage }: Pick<Browser, 'storage'>): void {
  storage.removeItem(mark)
}

/**
 * Sends somebody whose session at the provider ended by itself there once more: while the provider still knows them they
 * are back without being asked. It is tried once, and only if the provider answers.
 */
export async function signInAgain(
  session: SessionState,
  url: string,
  { storage, fetch, go }: Browser,
): Promise<boolean> {
  if (session.identity || !session.methods.includes('oidc') || storage.getItem(mark) === null) return false
  storage.removeItem(mark)
  try {
    if ((await fetch(url, { redirect: 'manual' })).type !== 'opaqueredirect') return false
  } catch {
    return false
  }
  go(url)
  return true
}
