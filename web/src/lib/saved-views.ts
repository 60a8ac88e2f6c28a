import { useSyncExternalStore } from 'react'

/** A named address of a list: its filters, as the query of the address without "?". */
export interface SavedView {
  name: string
  query: string
}

/** The most that are kept. */
const most = 20
const longest = 60
const key = 'views:runs'
const listeners = new Set<() => void>()
let text: string | null = null
let views: SavedView[] = []

function isView(value: unknown): value is SavedView {
  const view = value as Partial<SavedView> | null
  return typeof view === 'object' && view !== null && typeof view.name === 'string' && typeof view.query === 'string'
}

/** The views that a text has. One that another version has written is not lost: what can be read is kept. */
export function parseViews(stored: string | null): SavedView[] {
  try {
    const value = JSON.parse(stored ?? '[]') as unknown
    return Array.isArray(value) ? value.filter(isView).slice(0, most) : []
  } catch {
    return []
  }
}

/** The views with one more. A view of the same name is replaced. */
export function withView(old: readonly SavedView[], view: SavedView): SavedView[] {
  const name = view.name.trim().slice(0, longest)
  if (name === '') return [...old]
  return [...old.filter((v) => v.name !== name), { ...view, name }]
    .sort((a, b) => a.name.localeCompare(b.name))
    .slice(0, most)
}

function read(): SavedView[] {
  let stored: string | null
  try {
    stored = localStorage.getItem(key)
  } catch {
    return views // without storage, they live as long as the page
  }
  if (stored !== text) [text, views] = [stored, parseViews(stored)]
  return views
}

function write(next: SavedView[]): void {
  views = next
  try {
    text = JSON.stringify(next)
    localStorage.setItem(key, text)
  } catch {
    // as above
  }
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  addEventListener('storage', listener) // another tab
  return () => {
    listeners.delete(listener)
    removeEventListener('storage', listener)
  }
}

/** The views of the list of runs that this browser keeps. */
export function useSavedViews() {
  const all = useSyncExternalStore(subscribe, read)
  return {
    views: all,
    save: (view: SavedView) => write(withView(all, view)),
    remove: (name: string) => write(all.filter((v) => v.name !== name)),
  }
}
