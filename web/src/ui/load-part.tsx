import { type ComponentType, type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { Skeleton } from './basics'
import { reachable } from '../lib/reachable'

/** The times between attempts to load a part of the application, in milliseconds. The last one repeats. */
const waits = [500, 1_000, 2_000, 4_000]
const parts: { preload: () => Promise<void> }[] = []

export type Part<Props extends object> = ((props: Props) => ReactNode) & { preload: () => Promise<void> }

/**
 * A component that is loaded on demand. If it cannot be loaded, for example because the server restarts, a message says
 * so and the load is tried again. If the server responds but no longer has the file, there is a newer version of the
 * application, and the page is reloaded. A quiet part shows nothing until it is loaded.
 */
export function loadPart<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
  { quiet = false } = {},
): Part<Props> {
  let loaded: ComponentType<Props> | undefined
  let loading: Promise<void> | undefined
  const once = () =>
    (loading ??= load()
      .then((component) => void (loaded = component))
      .finally(() => (loading = undefined)))
  // A failure shows where the component is rendered.
  const preload = () => (loaded ? Promise.resolve() : once().catch(() => undefined))

  function LoadedPart(props: Props) {
    const [Loaded, setLoaded] = useState<ComponentType<Props> | undefined>(() => loaded)
    const [failed, setFailed] = useState(false)
    useEffect(() => {
      if (Loaded) return
      let timer: ReturnType<typeof setTimeout> | undefined
      let over = false
      const attempt = async (n: number) => {
        try {
          await (loaded ? undefined : once())
          if (!over) setLoaded(() => loaded)
        } catch {
          if (over) return
          setFailed(true)
          if (n > 0 && (await reachable())) reloadOnce()
          if (!over) timer = setTimeout(() => void attempt(n + 1), waits[Math.min(n, waits.length - 1)])
        }
      }
      void attempt(0)
      return () => {
        over = true
        clearTimeout(timer)
      }
    }, [Loaded])
    if (Loaded) return <Loaded {...props} />
    if (quiet) return null
    return failed ? <NotLoaded /> : <Skeleton lines={6} height="20rem" />
  }
  const part = Object.assign(LoadedPart, { preload })
  parts.push(part)
  return part
}

function NotLoaded() {
  const { t } = useTranslation()
  return (
    <div className="notice warn" role="alert">
      <strong>{t('app.notLoaded')}</strong>
      <p>{t('app.notLoadedText')}</p>
    </div>
  )
}

/** Reloads the page, at most once a minute. */
function reloadOnce(): void {
  const key = 'reloaded-at'
  try {
    if (Date.now() - Number(sessionStorage.getItem(key)) < 60_000) return
    sessionStorage.setItem(key, String(Date.now()))
    location.reload()
  } catch {
    // Without storage, the page could be reloaded again and again.
  }
}

/**
 * Loads the pages while the browser is idle, one after the other, so that navigation does not need the server. What
 * only some pages use, such as the graph, is still loaded on demand.
 */
export function loadAhead(): void {
  const { connection } = navigator as { connection?: { saveData?: boolean } }
  if (connection?.saveData) return
  const idle = (then: () => void) =>
    typeof requestIdleCallback === 'function' ? requestIdleCallback(then, { timeout: 5_000 }) : setTimeout(then, 1_000)
  const pages = [...parts]
  const next = (i: number): void => {
    const part = pages[i]
    if (part) idle(() => void part.preload().then(() => next(i + 1)))
  }
  next(0)
}
