import type { SessionState } from '@parliament-explorer/sdk'

/**
 * What the user may do. A `guest` must sign in first, a `reader` reads bills without a key, an `observer` reads
 * operations too, and an `operator` changes something.
 */
export type Role = 'guest' | 'reader' | 'observer' | 'operator'

type Session = Pick<SessionState, 'authentication' | 'public_read'> & {
  identity: Pick<NonNullable<SessionState['identity']>, 'scope'> | null
}

export function roleOf({ authentication, identity, public_read }: Session): Role {
  if (authentication === 'off') return 'operator'
  if (identity) return identity.scope === 'read' ? 'observer' : 'operator'
  return ({ none: 'guest', data: 'reader', all: 'observer' } as const)[public_read]
}

/** The pages for readers, by the first part of their path. */
const readerPaths = ['', 'home', 'bills', 'search', 'politicians', 'data', 'feeds', 'glossary', 'embed']

/** Whether a role may see the page at a path below the UI. */
export function maySee(role: Role, path: string): boolean {
  const first = path.split('/').find(Boolean) ?? ''
  if (first === 'sign-in' || role === 'guest') return false
  return role !== 'reader' || readerPaths.includes(first)
}
