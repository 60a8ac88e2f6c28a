import { type Event, followRunBatches, listRunEvents } from '@parliament-explorer/sdk'
import { useEffect, useMemo, useSyncExternalStore } from 'react'

import { whileVisible } from '../app/live'

const levelOrder = { debug: 0, info: 1, warn: 2, error: 3 } as const
export type Level = keyof typeof levelOrder

export interface LogFilter {
  level?: Level
  step?: string
  text?: string
}

/** The loaded part of a run's log. `version` changes with each addition. */
export interface Log {
  events: Event[]
  /** The events that start or end attempts of steps. */
  milestones: Event[]
  version: number
  complete: boolean
  lost: boolean
  error?: unknown
}

/**
 * All events of a run in memory, kept up to date by one stream. Subscribers are notified at most once per frame,
 * however fast events arrive.
 */
class LogStore {
  private log: Log = { events: [], milestones: [], version: 0, complete: false, lost: false }
  private listeners = new Set<() => void>()
  private frame = 0

  constructor(private readonly runId: string) {}

  get = (): Log => this.log

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  follow(): () => void {
    return whileVisible(async (signal) => {
      try {
        const onConnection = (state: 'open' | 'lost') => this.change({ lost: state === 'lost' })
        if (this.log.events.length === 0) await this.first(signal)
        const after = this.log.events.at(-1)?.id
        let lastYield = -Infinity // so that the first lines are shown at once
        for await (const batch of followRunBatches(this.runId, { after, signal, onConnection })) {
          this.add(batch)
          if (performance.now() - lastYield > 8) {
            await nextFrame() // so that the page stays responsive while a long log loads
            lastYield = performance.now()
          }
        }
        if (!signal.aborted) this.change({ complete: true, lost: false })
      } catch (error) {
        this.change({ error })
      }
    })
  }

  /** Loads the first page, so that it is shown before the stream of a long log uses the CPU. */
  private async first(signal: AbortSignal): Promise<void> {
    try {
      const { data } = await listRunEvents({ path: { run_id: this.runId }, query: { limit: 500 }, signal })
      if (!data) return
      this.add(data.items)
      if (data.next_cursor !== null) await whenIdle()
    } catch {
      // The stream reports the error, or retries.
    }
  }

  private add(batch: readonly Event[]): void {
    for (const event of batch) {
      this.log.events.push(event) // appended in place, as the list may be long
      if (event.type.startsWith('step_')) this.log.milestones = [...this.log.milestones, event]
    }
    this.change({})
  }

  private change(what: Partial<Log>): void {
    this.log = { ...this.log, ...what, version: this.log.version + 1 }
    if (this.frame !== 0) return
    // A hidden page gets no animation frames.
    const tell = () => {
      this.frame = 0
      for (const listener of this.listeners) listener()
    }
    this.frame =
      document.visibilityState === 'visible'
        ? requestAnimationFrame(tell)
        : (setTimeout(tell, 100) as unknown as number)
  }
}

/** Resolves when the browser is idle, at the latest after one second. */
function whenIdle(): Promise<void> {
  return new Promise((done) =>
    typeof requestIdleCallback === 'function'
      ? requestIdleCallback(() => done(), { timeout: 1000 })
      : setTimeout(done, 200),
  )
}

/** Resolves after the browser has rendered the next frame. */
function nextFrame(): Promise<void> {
  return new Promise((done) => {
    if (document.visibilityState !== 'visible') setTimeout(done)
    else requestAnimationFrame(() => setTimeout(done))
  })
}

/** A run's log from its beginning, kept up to date. */
export function useLog(runId: string): Log {
  const store = useMemo(() => new LogStore(runId), [runId])
  useEffect(() => store.follow(), [store])
  return useSyncExternalStore(store.subscribe, store.get)
}

export function matchesFilter(event: Event, filter: LogFilter): boolean {
  if (filter.level && levelOrder[event.level] < levelOrder[filter.level]) return false
  if (filter.step && event.asset !== filter.step) return false
  if (filter.text) {
    const text = filter.text.toLowerCase()
    return (
      event.message.toLowerCase().includes(text) ||
      event.type.includes(text) ||
      (event.data !== null && JSON.stringify(event.data).toLowerCase().includes(text))
    )
  }
  return true
}

/** Filters a growing list incrementally: each event is tested once. */
export class IncrementalFilter {
  private seen = 0
  private kept: Event[] = []

  constructor(private readonly filter: LogFilter) {}

  of(events: readonly Event[]): readonly Event[] {
    if (!this.filter.level && !this.filter.step && !this.filter.text) return events
    if (this.seen > events.length) {
      this.seen = 0
      this.kept = []
    }
    for (; this.seen < events.length; this.seen++) {
      const event = events[this.seen]!
      if (matchesFilter(event, this.filter)) this.kept.push(event)
    }
    return this.kept
  }
}

/** The log as text, one line for each event. */
export function formatLog(events: readonly Event[]): string {
  const line = (e: Event) => {
    const data = e.data ? '  ' + JSON.stringify(e.data) : ''
    return `${e.at}  ${e.level.padEnd(5)}  ${e.asset ?? '-'}  ${e.message}${data}\n`
  }
  return events.map(line).join('')
}

/** The log as JSON, with one event on each line, as the API returns it. */
export function formatLines(events: readonly Event[]): string {
  return events.map((e) => JSON.stringify(e) + '\n').join('')
}
