import { signOut, getSession, type SessionState } from '@parliament-explorer/sdk'
import { queryOptions, useQuery } from '@tanstack/react-query'

import { type Role, roleOf } from '../lib/role'
import { forgetStarted } from '../lib/started-here'
import { clearProviderSignIn, recordProviderSignIn } from '../lib/sign-in-again'
import { queryClient } from './client'
import { toast } from './toasts'

/** The query for the identity and the sign-in methods of this page. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }) => {
    const { data } = await getSession({ signal })
    recordProviderSignIn(data, { storage: sessionStorage })
    return data
  },
  staleTime: 5 * 60_000,
})

/** The role of the user. Undefined until the session is loaded. */
export function useRole(): Role | undefined {
  const session = useSession()
  return session && roleOf(session)
}

/** The session. Undefined until it is loaded. */
export function useSession(): SessionState | undefined {
  return useQuery(sessionQuery).data
}

const isUnauthenticated = (error: unknown) =>
  error instanceof Error && error.name === 'ProblemError' && 'status' in error && error.status === 401

// The first 401 response shows that the session has ended.
queryClient.getQueryCache().subscribe((event) => {
  if (event.type === 'updated' && event.action.type === 'error' && isUnauthenticated(event.action.error))
    void queryClient.invalidateQueries({ queryKey: ['session'] })
})
queryClient.getMutationCache().subscribe((event) => {
  if (event.type === 'updated' && event.action.type === 'error' && isUnauthenticated(event.action.error))
    void queryClient.invalidateQueries({ queryKey: ['session'] })
})

/** Ends the session, and reloads the page to remove all loaded data. */
export async function endSession(): Promise<void> {
  try {
    await signOut()
    clearProviderSignIn({ storage: sessionStorage })
    forgetStarted()
    location.reload()
  } catch (error) {
    toast.bad(error)
  }
}
