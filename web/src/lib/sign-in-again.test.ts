import type { SessionState } from '@parliament-explorer/sdk'
import { expect, test } from 'vitest'

import { clearProviderSignIn, recordProviderSignIn, signInAgain, type Browser } from './sign-in-again'

const out: SessionState = { authentication: 'required', methods: ['key', 'oidc'], identity: null, public_read: 'none' }
const by = (kind: 'key' | 'oidc'): SessionState => ({
  ...out,
  identity: { kind, name: 'ada', scope: 'read', expires_at: null },
})

function browser(answers: ResponseType | Error = 'opaqueredirect') {
  const kept = new Map<string, string>()
  const went: string[] = []
  const b: Browser = {
    storage: {
      getItem: (k) => kept.get(k) ?? null,
      setItem: (k, v) => void kept.set(k, v),
      removeItem: (k) => void kept.delete(k),
    },
    fetch: () => (answers instanceof Error ? Promise.reject(answers) : Promise.resolve({ type: answers })),
    go: (url) => void went.push(url),
  }
  return { b, went }
}

test('somebody whose session at the provider ended goes there once', async () => {
  const { b, went } = browser()
  recordProviderSignIn(by('oidc'), b)
  expect(await signInAgain(by('oidc'), '/session/oidc', b)).toBe(false) // still signed in
  expect(await signInAgain(out, '/session/oidc', b)).toBe(true)
  expect(await signInAgain(out, '/session/oidc', b)).toBe(false)
  expect(went).toEqual(['/session/oidc'])
})

test('nobody goes there who signed out, used a key, or never was there', async () => {
  const { b, went } = browser()
  expect(await signInAgain(out, '/x', b)).toBe(false)
  recordProviderSignIn(by('key'), b)
  expect(await signInAgain(out, '/x', b)).toBe(false)
  recordProviderSignIn(by('oidc'), b)
  clearProviderSignIn(b)
  expect(await signInAgain(out, '/x', b)).toBe(false)
  recordProviderSignIn(by('oidc'), b)
  expect(await signInAgain({ ...out, methods: ['key'] }, '/x', b)).toBe(false)
  expect(went).toEqual([])
})

test('a provider that is away is not gone to', async () => {
  for (const answers of ['basic', new TypeError('no network')] as const) {
    const { b, went } = browser(answers)
    recordProviderSignIn(by('oidc'), b)
    expect(await signInAgain(out, '/x', b)).toBe(false)
    expect(went).toEqual([])
  }
})
