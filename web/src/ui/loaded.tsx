import type { ReactNode } from 'react'

import { Skeleton } from './basics'
import { Problem } from './problem'

interface QueryResult<T> {
  data: T | undefined
  error: unknown
  refetch: () => unknown
}

/**
 * The result of a query: a placeholder while it loads, the error if it failed, otherwise what `children` returns.
 * Loaded data stays on the page while the server is unavailable.
 */
export function Loaded<T>({
  query,
  lines,
  height,
  children,
}: {
  query: QueryResult<T>
  lines?: number
  height?: string
  children: (data: T) => ReactNode
}) {
  if (query.data !== undefined) return children(query.data)
  if (query.error) {
    return (
      <div style={{ padding: '1rem' }}>
        <Problem error={query.error} retry={() => void query.refetch()} />
      </div>
    )
  }
  return <Skeleton lines={lines} height={height} />
}

/** The items of all pages of a list that have been loaded. */
export function itemsOf<T>(query: QueryResult<{ pages: { items: T[] }[] }>): QueryResult<T[]> {
  return { data: query.data?.pages.flatMap((page) => page.items), error: query.error, refetch: query.refetch }
}
