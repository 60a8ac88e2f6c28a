import { useSyncExternalStore } from 'react'

import { createStored } from './stored'

/** A named address of a list: its filters, as the query of the address without "?". */
interface SavedView {
  name: string
  query: string
}

/** The longest name, in characters. */
const longest = 60

function isView(value: unknown): value is SavedView {
  const view = value as Partial<SavedView> | null
  return typeof view === 'object' && view !== null && typeof view.name === 'string' && typeof view.query === 'string'
}

/** The views that the browser has stored. What cannot be read is left out. */
export function viewsOf(stored: unknown): SavedView[] {
  return Array.isArray(stored) ? stored.filter(isView) : []
}

/** The views with one more. A view of the same name is replaced. */
export function withView(old: readonly SavedView[], view: SavedView): SavedView[] {
  const name = view.name.trim().slice(0, longest)
  if (name === '') return [...old]
  return [...old.filter((v) => v.name !== name), { ...view, name }].sort((a, b) => a.name.localeCompare(b.name))
}

const saved = createStored('views:runs', viewsOf, (views) => views)

/** The views of the list of runs that this browser keeps. */
export function useSavedViews() {
  const views = useSyncExternalStore(saved.subscribe, saved.get)
  return {
    views,
    save: (view: SavedView) => saved.set(withView(views, view)),
    remove: (name: string) => saved.set(views.filter((v) => v.name !== name)),
  }
}
