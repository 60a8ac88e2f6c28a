import { configureExplorer, type ProblemError } from '@parliament-explorer/sdk'
import { QueryClient } from '@tanstack/react-query'

import { apiBase } from '../lib/base'
import { inPageLanguage } from '../lib/request-language'
import { failOnSilence } from '../lib/silence'
import { rememberStarted } from '../lib/started-here'

// eslint-disable-next-line no-restricted-globals -- the SDK sends its requests with it
const send = inPageLanguage((...request) => fetch(...request))
configureExplorer({ baseUrl: apiBase.href, fetch: rememberStarted(failOnSilence(send)) })

/** The cache of server data. Events keep it up to date, not polling; see live.ts. */
export const queryClient = new QueryClient({
  // Requests are sent even if the browser is offline: the server may be on this machine. Otherwise they would wait, and
  // the page would show neither the data nor an error.
  defaultOptions: {
    mutations: { networkMode: 'always' },
    queries: {
      networkMode: 'always',
      staleTime: 10_000,
      gcTime: 5 * 60_000,
      retry: (failures, error) => failures < 2 && !isRefusal(error),
      retryDelay: (attempt) => Math.min(500 * 2 ** attempt, 4_000),
    },
  },
})

/** Whether the server rejected the request, so that a retry would fail too. */
export function isRefusal(error: unknown): error is ProblemError {
  return error instanceof Error && error.name === 'ProblemError' && (error as ProblemError).status < 500
}
