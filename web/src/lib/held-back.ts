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
 * The items, and after them the rows that the user saw and that the list no longer has, as it has as many items as
 * before, and new ones at its top.
 */
export function withTail<T extends { id: string }>(items: readonly T[], rows: readonly T[]): T[] {
  const last = items.at(-1)?.id
  return last === undefined ? [] : [...items, ...rows.filter((row) => row.id < last)]
}

interface Held<T> {
  list: string
  newest: string
  rows: readonly T[]
}

/**
 * A list, newest first, whose rows stay where they are while the user is busy with them: new items are held back, and
 * counted, until `show` is called or the user is done, and rows that new items push over the end of the list stay too;
 * `kept` has these. `list` names the list; another one starts afresh. `more` is whether the list goes on after `items`,
 * which are the same array until they change.
 */
export function useHeldBack<T extends { id: string }>(
  list: string,
  items: readonly T[] | undefined,
  more: boolean,
  busy: boolean,
) {
  const first = items?.[0]?.id
  const [held, setHeld] = useState<Held<T>>()
  const holds = busy && first !== undefined
  useEffect(() => {
    setHeld((old) => {
      if (!holds) return undefined
      if (old?.list !== list) return { list, newest: first, rows: items! }
      return { ...old, rows: more ? withTail(items!, old.rows) : items! }
    })
    // `first` is the first item of `items`, and only the one that was there when the user became busy counts.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [holds, list, items, more])
  const now = busy && held?.list === list ? held : undefined
  const all = withTail(items ?? [], more ? (now?.rows ?? []) : [])
  const [shown, fresh] = splitAt(all, now?.newest)
  return {
    shown,
    fresh,
    kept: all.slice(items?.length ?? 0),
    show: () => setHeld(first === undefined ? undefined : { list, newest: first, rows: items! }),
  }
}
