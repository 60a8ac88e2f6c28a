import { useEffect, useLayoutEffect, useState, useSyncExternalStore } from 'react'

import { createStore } from './store'

/** The number of placeholders on the page. */
const placeholders = createStore(0)

/** Counts a placeholder while it is on the page. */
export function usePlaceholder(): void {
  useLayoutEffect(() => {
    placeholders.set(placeholders.get() + 1)
    return () => placeholders.set(placeholders.get() - 1)
  }, [])
}

/** The longest time that a page is hidden while it loads, in milliseconds. */
const longest = 3_000

/**
 * Whether a page that was just opened is still loading. Its cards are as high as their data, which is not known before.
 * So they show together, instead of pushing each other down one after the other.
 */
export function useSettling(path: string, ready: boolean): boolean {
  const loading = useSyncExternalStore(placeholders.subscribe, placeholders.get) > 0
  const [settled, setSettled] = useState<string>()
  useEffect(() => {
    if (settled === path || !ready) return
    const timer = setTimeout(() => setSettled(path), loading ? longest : 50)
    return () => clearTimeout(timer)
  }, [settled, path, ready, loading])
  return loading && settled !== path
}
