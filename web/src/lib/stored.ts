import { createStore, type Store } from './store'

/**
 * A value that this browser keeps, and that its other pages change too. `read` makes the value of what is stored, which
 * may be anything or undefined. Without storage, the value lives as long as the page.
 */
export function createStored<T>(key: string, read: (stored: unknown) => T, write: (value: T) => unknown): Store<T> {
  const load = (): T => {
    try {
      return read(JSON.parse(localStorage.getItem(key) ?? 'null') ?? undefined)
    } catch {
      return read(undefined)
    }
  }
  const store = createStore<T>(load())
  globalThis.addEventListener?.('storage', (event) => {
    if (event.key === key) store.set(load())
  })
  return {
    ...store,
    set(next) {
      store.set(next)
      try {
        localStorage.setItem(key, JSON.stringify(write(next)))
      } catch {
        // Without storage, other pages and later visits do not know.
      }
    },
  }
}
