import { followEvents, followStatus, type Event, type SystemStatus } from '@parliament-explorer/sdk'
import type { QueryKey } from '@tanstack/react-query'
import { useEffect, useSyncExternalStore } from 'react'

import { queryClient } from './client'

/*
 * One stream of all runs' events tells which data has changed; the queries that are on the screen are then asked again. A hidden page
 * lets go of its streams after a while, for browsers allow few connections to one server, and goes on where it was when it is seen again.
 */

export type Connection = 'connecting' | 'open' | 'lost' | 'paused'

function store<T>(initial: T) {
  let value = initial
  const listeners = new Set<() => void>()
  return {
    get: () => value,
    set(next: T) {
      if (Object.is(next, value)) return
      value = next
      for (const listener of listeners) listener()
    },
    subscribe(listener: () => void) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

const connection = store<Connection>('connecting')

export function useConnection(): Connection {
  return useSyncExternalStore(connection.subscribe, connection.get)
}

/** How far a run's steps are, by run and asset, from the newest progress events. */
export interface Progress {
  done: number
  total: number
}
const progress = store<ReadonlyMap<string, Progress>>(new Map())

export function useProgress(runId: string, asset: string): Progress | undefined {
  return useSyncExternalStore(progress.subscribe, progress.get).get(runId + '/' + asset)
}

const hiddenFor = 20_000

/** Runs `stream` while the page can be seen. Returns what stops it for good. */
export function whileVisible(stream: (signal: AbortSignal) => Promise<void>, paused?: () => void): () => void {
  let current: AbortController | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  const begin = () => {
    clearTimeout(timer)
    if (current) return
    const mine = (current = new AbortController())
    void stream(mine.signal)
      .catch(() => undefined)
      .finally(() => {
        if (current === mine) current = undefined
      })
  }
  const changed = () => {
    if (document.visibilityState === 'visible') return begin()
    timer = setTimeout(() => {
      current?.abort()
      current = undefined
      paused?.()
    }, hiddenFor)
  }
  document.addEventListener('visibilitychange', changed)
  begin()
  return () => {
    document.removeEventListener('visibilitychange', changed)
    clearTimeout(timer)
    current?.abort()
  }
}

const flushEvery = 250
const dirty = new Map<string, QueryKey>()
let flushing: ReturnType<typeof setTimeout> | undefined
let flushedAt = 0

/** Has queries asked again, also those whose first answer is on its way: it may be older than what happened. */
async function refresh(queryKey?: QueryKey): Promise<void> {
  const first = queryClient
    .getQueryCache()
    .findAll({ queryKey, predicate: (q) => q.state.fetchStatus === 'fetching' && q.state.data === undefined })
  await queryClient.invalidateQueries({ queryKey })
  if (first.length > 0) await queryClient.invalidateQueries({ queryKey, predicate: (q) => first.includes(q) })
}

/** Has queries asked again: at once, and no more than four times a second. */
function touch(...keys: QueryKey[]): void {
  for (const key of keys) dirty.set(JSON.stringify(key), key)
  if (flushing) return
  flushing = setTimeout(
    () => {
      flushing = undefined
      flushedAt = Date.now()
      const now = [...dirty.values()]
      dirty.clear()
      for (const queryKey of now) void refresh(queryKey)
    },
    Math.max(0, flushedAt + flushEvery - Date.now()),
  )
}

/** Bills are what pages of bills, search, feeds, exports and their sponsors' pages show; sponsors' links are part of bills. */
const data: QueryKey[] = [['bills'], ['politicians'], ['fetch-logs']]

/** What a materialization of an asset changes beside the asset itself. Of an asset that is not here, it is known when the run ends. */
const dataOf: Record<string, QueryKey[]> = {
  fetch_latest_bills: data,
  fetch_parliament_session_bills: data,
  fetch_politicians: data,
  parliament_sessions: [['fetch-logs']],
  generate_rss_feeds: [['bills', 'feeds']],
  update_embeddings: [['bills', 'search']],
  data_quality: [['bills', 'exports']],
}

/** Which data an event changes. */
export function changedBy(event: Pick<Event, 'type' | 'run_id' | 'asset'>): QueryKey[] {
  const keys: QueryKey[] = [['run', event.run_id]]
  if (event.type.startsWith('run_')) keys.push(['runs'])
  if (event.type === 'run_enqueued') keys.push(['schedules'], ['ticks'], ['sensors'], ['sensor-ticks'], ['partitions'])
  if (/^run_(enqueued|canceling)$/.test(event.type)) keys.push(['access', 'audit'])
  if (event.type === 'materialization')
    keys.push(['assets'], ['materializations'], ['partitions'], ...(dataOf[event.asset ?? ''] ?? []))
  if (/^(run|step)_(failure|canceled)$/.test(event.type)) keys.push(['partitions'], ['assets'])
  // An attempt that did not succeed has its fetch log too, and what it stored until then.
  if (/^step_(failure|canceled|up_for_retry)$/.test(event.type)) keys.push(...(dataOf[event.asset ?? ''] ?? []))
  if (/^run_(success|failure|canceled)$/.test(event.type)) keys.push(['backfills'], ['alerts'], ...data)
  return keys
}

const types = [
  'run_enqueued',
  'run_started',
  'run_success',
  'run_failure',
  'run_canceling',
  'run_canceled',
  'materialization',
  'progress',
  'step_started',
  'step_success',
  'step_failure',
  'step_up_for_retry',
  'step_skipped',
  'step_canceled',
  'step_requeued',
]

function apply(event: Event): void {
  if (event.type === 'progress') {
    const { done, total } = (event.data ?? {}) as Partial<Progress>
    if (event.asset && typeof done === 'number' && typeof total === 'number')
      progress.set(new Map(progress.get()).set(event.run_id + '/' + event.asset, { done, total }))
    return
  }
  if (/^run_(success|failure|canceled)$/.test(event.type)) {
    progress.set(new Map([...progress.get()].filter(([key]) => !key.startsWith(event.run_id))))
  }
  touch(...changedBy(event))
}

/** Keeps the page's data current until the returned function is called. */
export function startLive(): () => void {
  let place: string | undefined
  return whileVisible(
    async (signal) => {
      connection.set('connecting')
      for await (const { streamId, event } of followEvents({
        after: place,
        types,
        signal,
        onConnection: (state) => {
          connection.set(state)
          if (state === 'open') void refresh() // whatever happened before the stream began, or while it was away
        },
      })) {
        place = streamId
        apply(event)
      }
    },
    () => connection.set('paused'),
  )
}

const status = store<SystemStatus | undefined>(undefined)
let watchers = 0
let unwatch: (() => void) | undefined

function watchStatus(): () => void {
  watchers++
  unwatch ??= whileVisible(async (signal) => {
    for await (const next of followStatus({ signal })) {
      const last = status.get()
      if (last && JSON.stringify(last.schedules) !== JSON.stringify(next.schedules)) touch(['schedules'], ['ticks'])
      if (last && JSON.stringify(last.sensors) !== JSON.stringify(next.sensors)) touch(['sensors'], ['sensor-ticks'])
      if (last && JSON.stringify(last.backfills) !== JSON.stringify(next.backfills)) touch(['backfills'])
      if (last && last.open_alerts !== next.open_alerts) touch(['alerts'], ['assets']) // an asset that turns late raises one, without an event
      status.set(next)
    }
  })
  return () => {
    watchers--
    // Going from one page to another that also wants it keeps the connection.
    setTimeout(() => {
      if (watchers > 0) return
      unwatch?.()
      unwatch = undefined
    }, 1000)
  }
}

/** The state of queues, workers, sources and schedules, live; undefined until it is known. */
export function useSystemStatus(): SystemStatus | undefined {
  useEffect(watchStatus, [])
  return useSyncExternalStore(status.subscribe, status.get)
}
