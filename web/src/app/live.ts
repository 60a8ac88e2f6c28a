import type { Event, SystemStatus } from '@parliament-explorer/sdk'
import type { QueryKey } from '@tanstack/react-query'
import { useEffect, useSyncExternalStore } from 'react'

import { createStore } from '../lib/store'
import { queryClient } from './client'
import type { Connection, News } from './hub'
import { connectHub, type HubClient } from './hub-client'

/*
 * The hub reports which data has changed; see hub.ts. The queries of the visible page are then fetched again. A hidden
 * page needs no stream, and is brought up to date when it becomes visible.
 */

const connection = createStore<Connection>('connecting')

export function useConnection(): Connection {
  return useSyncExternalStore(connection.subscribe, connection.get)
}

/** The progress of a step, from its latest progress event. */
export interface Progress {
  done: number
  total: number
}

// By run and asset, as in `${runId}/${asset}`.
const progress = createStore<ReadonlyMap<string, Progress>>(new Map())

export function useProgress(runId: string, asset: string): Progress | undefined {
  return useSyncExternalStore(progress.subscribe, progress.get).get(runId + '/' + asset)
}

/** How long a page is hidden before its streams close, in milliseconds. */
const hiddenDelay = 3_000

/** Runs `stream` while the page is visible. Returns a function that stops it. */
export function whileVisible(stream: (signal: AbortSignal) => Promise<void>): () => void {
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
    }, hiddenDelay)
  }
  document.addEventListener('visibilitychange', changed)
  // A page that was opened in the background has not been seen yet.
  if (document.visibilityState === 'visible') begin()
  return () => {
    document.removeEventListener('visibilitychange', changed)
    clearTimeout(timer)
    current?.abort()
  }
}

/**
 * Fetches queries again. A first fetch that is in progress is repeated too: its response may be older than the event.
 */
async function refresh(queryKey?: QueryKey): Promise<void> {
  const loading = queryClient
    .getQueryCache()
    .findAll({ queryKey, predicate: (q) => q.state.fetchStatus === 'fetching' && q.state.data === undefined })
  await queryClient.invalidateQueries({ queryKey })
  if (loading.length > 0) await queryClient.invalidateQueries({ queryKey, predicate: (q) => loading.includes(q) })
}

/** Fetches queries again after a delay, and then at most once in an interval, both in milliseconds. */
function refresher(delay: number, interval: number): (key: QueryKey) => void {
  const changed = new Map<string, QueryKey>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let refreshedAt = 0
  const run = () => {
    timer = undefined
    refreshedAt = Date.now()
    const keys = [...changed.values()]
    changed.clear()
    for (const queryKey of keys) void refresh(queryKey)
  }
  return (key) => {
    changed.set(JSON.stringify(key), key)
    timer ??= setTimeout(run, Math.max(delay, refreshedAt + interval - Date.now()))
  }
}

const refreshSoon = refresher(0, 250)
// A short run is over before the delay ends, so that lists are fetched once for all its events.
const refreshLists = refresher(300, 1_000)
// The timeline has hundreds of runs with all their steps.
const refreshTimeline = refresher(300, 5_000)

function scheduleRefresh(...keys: QueryKey[]): void {
  for (const key of keys) {
    const refresh = key[0] === 'run' ? refreshSoon : key[0] === 'timeline' ? refreshTimeline : refreshLists
    refresh(key)
  }
}

/**
 * The queries of fetched data. Queries of search, feeds and exports begin with 'bills' too. Politicians' pages show
 * their bills, and bills link to their sponsors, so both change together.
 */
const fetchedData: QueryKey[] = [['bills'], ['politicians'], ['fetch-logs']]

/**
 * The data that a materialization of an asset changes, besides the asset itself. For other assets, the data is
 * refreshed when the run ends.
 */
const dataByAsset: Record<string, QueryKey[]> = {
  fetch_latest_bills: fetchedData,
  fetch_parliament_session_bills: fetchedData,
  fetch_politicians: fetchedData,
  parliament_sessions: [['fetch-logs']],
  generate_rss_feeds: [['bills', 'feeds']],
  update_embeddings: [['bills', 'search']],
  data_quality: [['bills', 'exports']],
}

/** Whether an event is the end of a run. */
function isRunEnd(type: string): boolean {
  return type === 'run_success' || type === 'run_failure' || type === 'run_canceled'
}

/** Whether an event is an attempt of a step that ended without success. */
function isFailedAttempt(type: string): boolean {
  return type === 'step_failure' || type === 'step_canceled' || type === 'step_up_for_retry'
}

/** Whether an event is a run or a step that ended without success. */
function isFailedEnd(type: string): boolean {
  return type === 'run_failure' || type === 'run_canceled' || type === 'step_failure' || type === 'step_canceled'
}

/** Whether an event follows a request that the audit log records. */
function isAudited(type: string): boolean {
  return type === 'run_enqueued' || type === 'run_canceling'
}

/** The keys of the queries that an event changes. */
export function queriesChangedBy(event: Pick<Event, 'type' | 'run_id' | 'asset'>): QueryKey[] {
  const keys: QueryKey[] = [['run', event.run_id]]
  if (event.type.startsWith('run_')) keys.push(['runs'], ['timeline'])
  if (event.type === 'run_enqueued') keys.push(['schedules'], ['ticks'], ['sensors'], ['sensor-ticks'], ['partitions'])
  if (isAudited(event.type)) keys.push(['access', 'audit'])
  if (event.type === 'materialization')
    keys.push(['assets'], ['materializations'], ['partitions'], ...(dataByAsset[event.asset ?? ''] ?? []))
  if (isFailedEnd(event.type)) keys.push(['partitions'], ['assets'])
  // A failed attempt writes a fetch log too, and keeps the records that it stored.
  if (isFailedAttempt(event.type)) keys.push(...(dataByAsset[event.asset ?? ''] ?? []))
  if (isRunEnd(event.type)) keys.push(['backfills'], ['alerts'], ...fetchedData)
  return keys
}

function applyEvent(event: Event): void {
  if (event.type === 'progress') {
    const { done, total } = (event.data ?? {}) as Partial<Progress>
    if (event.asset && typeof done === 'number' && typeof total === 'number')
      progress.set(new Map(progress.get()).set(event.run_id + '/' + event.asset, { done, total }))
    return
  }
  if (isRunEnd(event.type)) {
    progress.set(new Map([...progress.get()].filter(([key]) => !key.startsWith(event.run_id))))
  }
  scheduleRefresh(...queriesChangedBy(event))
}

/** A visible page says this often that it is there, in milliseconds. */
const presenceInterval = 15_000

const status = createStore<SystemStatus | undefined>(undefined)
let statusUsers = 0
let hub: HubClient | undefined

function tellNeed(): void {
  hub?.need({ visible: document.visibilityState === 'visible', status: statusUsers > 0 })
}

function onNews(news: News): void {
  if (news.kind === 'event') applyEvent(news.event)
  else if (news.kind === 'status') applyStatus(news.status)
  else {
    connection.set(news.state)
    // Data may have changed before the stream began or while it was interrupted.
    if (news.state === 'open') void refresh()
  }
}

function applyStatus(next: SystemStatus): void {
  const last = status.get()
  if (last && JSON.stringify(last.schedules) !== JSON.stringify(next.schedules))
    scheduleRefresh(['schedules'], ['ticks'], ['timeline'])
  if (last && JSON.stringify(last.sensors) !== JSON.stringify(next.sensors))
    scheduleRefresh(['sensors'], ['sensor-ticks'])
  if (last && JSON.stringify(last.backfills) !== JSON.stringify(next.backfills)) scheduleRefresh(['backfills'])
  // An asset that becomes late raises an alert, without an event.
  if (last && last.open_alerts !== next.open_alerts) scheduleRefresh(['alerts'], ['assets'])
  status.set(next)
}

/** Keeps the page's data up to date. Returns a function that stops it. */
function startLive(): () => void {
  hub = connectHub(onNews)
  const changed = () => {
    if (document.visibilityState !== 'visible') connection.set('paused')
    tellNeed()
  }
  const left = () => hub?.leave()
  const present = setInterval(() => document.visibilityState === 'visible' && tellNeed(), presenceInterval)
  document.addEventListener('visibilitychange', changed)
  window.addEventListener('pagehide', left)
  window.addEventListener('pageshow', changed)
  changed()
  return () => {
    clearInterval(present)
    document.removeEventListener('visibilitychange', changed)
    window.removeEventListener('pagehide', left)
    window.removeEventListener('pageshow', changed)
    left()
    hub = undefined
  }
}

/** Keeps the page's data up to date while the user may read it. */
export function useLive(allowed: boolean): void {
  useEffect(() => (allowed ? startLive() : undefined), [allowed])
}

function watchStatus(): () => void {
  statusUsers++
  if (statusUsers === 1) tellNeed()
  return () => {
    statusUsers--
    if (statusUsers === 0) tellNeed()
  }
}

/** The number of open alerts. Undefined until it is loaded. */
export function useOpenAlerts(): number | undefined {
  useEffect(watchStatus, [])
  return useSyncExternalStore(status.subscribe, () => status.get()?.open_alerts)
}

/** The live state of queues, workers, sources and schedules. Undefined until it is loaded. */
export function useSystemStatus(): SystemStatus | undefined {
  useEffect(watchStatus, [])
  return useSyncExternalStore(status.subscribe, status.get)
}
