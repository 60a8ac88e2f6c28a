import { configureExplorer, type ProblemError } from '@parliament-explorer/sdk'
import { QueryClient } from '@tanstack/react-query'

import { apiBase } from '../lib/base'

configureExplorer({ baseUrl: apiBase.href })

/** Data is kept current by events, not by asking again and again; see live.ts. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      gcTime: 5 * 60_000,
      retry: (failures, error) => failures < 2 && !isRefusal(error),
      retryDelay: (attempt) => Math.min(500 * 2 ** attempt, 4_000),
    },
  },
})

/** Whether the server refused what was asked, so that asking again would not help. */
export function isRefusal(error: unknown): error is ProblemError {
  return error instanceof Error && error.name === 'ProblemError' && (error as ProblemError).status < 500
}
