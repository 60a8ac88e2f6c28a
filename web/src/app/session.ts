import { signOut, getSession, type SessionState } from '@parliament-explorer/sdk'
import { queryOptions, useQuery } from '@tanstack/react-query'

import { forget, remember } from '../lib/sign-in-again'
import { queryClient } from './client'
import { toast } from './toasts'

/** Who the server takes this page for. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }) => {
    const { data } = await getSession({ signal })
    remember(data, { storage: sessionStorage })
    return data
  },
  staleTime: 5 * 60_000,
})

/** The session; undefined until it is known. */
export function useSession(): SessionState | undefined {
  return useQuery(sessionQuery).data
}

const refused = (error: unknown) =>
  error instanceof Error && error.name === 'ProblemError' && 'status' in error && error.status === 401

// A session that ended shows at the first answer that says so.
queryClient.getQueryCache().subscribe((event) => {
  if (event.type === 'updated' && event.action.type === 'error' && refused(event.action.error))
    void queryClient.invalidateQueries({ queryKey: ['session'] })
})
queryClient.getMutationCache().subscribe((event) => {
  if (event.type === 'updated' && event.action.type === 'error' && refused(event.action.error))
    void queryClient.invalidateQueries({ queryKey: ['session'] })
})

/** Ends the session and forgets what was shown. */
export async function leave(): Promise<void> {
  try {
    await signOut()
    forget({ storage: sessionStorage })
    location.reload()
  } catch (error) {
    toast.bad(error)
  }
}
