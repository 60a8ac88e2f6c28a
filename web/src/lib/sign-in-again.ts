import type { SessionState } from '@parliament-explorer/sdk'

const storageKey = 'signed-in-at-provider'

/** The browser functions used here. Tests replace them. */
export type Browser = {
  storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
  fetch: (url: string, init: RequestInit) => Promise<Pick<Response, 'type'>>
  go: (url: string) => void
}

/** Records in this tab that the user signed in with the identity provider. */
export function recordProviderSignIn(session: SessionState, { storage }: Pick<Browser, 'storage'>): void {
  if (session.identity?.kind === 'oidc') storage.setItem(storageKey, '1')
}

/** Removes the record after a sign-out. */
export function clearProviderSignIn({ storage }: Pick<Browser, 'storage'>): void {
  storage.removeItem(storageKey)
}

/**
 * Redirects a user whose session has expired to the identity provider again. If the provider's own session is still
 * valid, the user is signed in without a prompt. This is tried once, and only if the provider responds.
 */
export async function signInAgain(
  session: SessionState,
  url: string,
  { storage, fetch, go }: Browser,
): Promise<boolean> {
  if (session.identity || !session.methods.includes('oidc') || storage.getItem(storageKey) === null) return false
  storage.removeItem(storageKey)
  try {
    if ((await fetch(url, { redirect: 'manual' })).type !== 'opaqueredirect') return false
  } catch {
    return false
  }
  go(url)
  return true
}
