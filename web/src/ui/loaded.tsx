import type { ReactNode } from 'react'

import { Skeleton } from './basics'
import { Problem } from './problem'

interface Asked<T> {
  data: T | undefined
  error: unknown
  refetch: () => unknown
}

/**
 * What was asked for: its place while it is on its way, why it cannot be had, or what `children` make of it. Data that is there stays, also
 * while the server is away.
 */
export function Loaded<T>({
  query,
  lines,
  height,
  children,
}: {
  query: Asked<T>
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

/** The items of all pages of a list that were asked for so far. */
export function itemsOf<T>(query: Asked<{ pages: { items: T[] }[] }>): Asked<T[]> {
  return { data: query.data?.pages.flatMap((page) => page.items), error: query.error, refetch: query.refetch }
}
