import { useEffect, useState, useSyncExternalStore } from 'react'

/** From this distance on, in pixels, the user has scrolled on purpose: about a row. */
const scrolledAway = 40

function subscribe(listener: () => void): () => void {
  addEventListener('scroll', listener, { passive: true })
  return () => removeEventListener('scroll', listener)
}

/** Whether the user has scrolled down. */
export function useScrolled(): boolean {
  return useSyncExternalStore(subscribe, () => scrollY > scrolledAway)
}

/** Splits a list, newest first, at the item that was the newest before. Ids sort by time. */
export function splitAt<T extends { id: string }>(items: readonly T[], newest: string | undefined): [T[], number] {
  const shown = newest === undefined ? [...items] : items.filter((item) => item.id <= newest)
  return [shown, items.length - shown.length]
}

/**
 * A list, newest first, whose rows stay where they are while the user is busy with them: new items are held back, and
 * counted, until `show` is called or the user is done. `list` names the list; another one starts afresh.
 */
export function useHeldBack<T extends { id: string }>(list: string, items: readonly T[] | undefined, busy: boolean) {
  const first = items?.[0]?.id
  const [held, setHeld] = useState<{ list: string; newest: string }>()
  const holds = busy && first !== undefined
  useEffect(() => {
    setHeld((old) => (!holds ? undefined : old?.list === list ? old : { list, newest: first }))
    // Only the item that was the first when the user became busy counts.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [holds, list])
  const newest = busy && held?.list === list ? held.newest : undefined
  const [shown, fresh] = splitAt(items ?? [], newest)
  return { shown, fresh, show: () => setHeld(first === undefined ? undefined : { list, newest: first }) }
}
