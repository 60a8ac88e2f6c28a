import { useSyncExternalStore } from 'react'

// All ages on the page use one clock, so that they change together.
let now = Date.now()
const listeners = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  timer ??= setInterval(() => {
    now = Date.now()
    for (const l of listeners) l()
  }, 1000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

/**
 * The current time in milliseconds, updated every second. With a longer `step`, it is updated when that much time has
 * passed, for what is expensive to draw.
 */
export function useNow(step = 1): number {
  return useSyncExternalStore(subscribe, () => {
    if (listeners.size === 0) now = Math.floor(Date.now() / 1000) * 1000
    return Math.floor(now / step) * step
  })
}
