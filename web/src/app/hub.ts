import { followEvents, followStatus, type Event, type SystemStatus } from '@parliament-explorer/sdk'

import { streamedTypes } from './streamed'

/*
 * The hub holds the streams of all pages of the browser: one of events, and one of the status while a page needs it. It
 * runs in a shared worker, or in the page that leads where there are none. Browsers allow six connections to a server
 * without HTTP/2, so a stream for each page would soon leave none for requests.
 */

export type Connection = 'connecting' | 'open' | 'lost' | 'paused'

/** What a page tells the hub: whether it is visible and needs the status. Hidden pages need nothing. */
export interface Need {
  visible: boolean
  status: boolean
}

/** What the hub tells pages. */
export type News =
  { kind: 'connection'; state: Connection } | { kind: 'event'; event: Event } | { kind: 'status'; status: SystemStatus }

/** How long streams stay after the last page that needs them, in milliseconds. Navigation keeps them. */
const lingerTime = 3_000
/** How long a page that says nothing is still there. A visible page says that it is there more often; see live.ts. */
const silentTime = 45_000

/** Runs one stream while it is needed. */
class Stream {
  private current?: AbortController
  private timer?: ReturnType<typeof setTimeout>

  constructor(
    private readonly run: (signal: AbortSignal) => Promise<void>,
    private readonly stopped: () => void,
  ) {}

  need(needed: boolean): void {
    clearTimeout(this.timer)
    if (needed) this.start()
    else if (this.current) this.timer = setTimeout(() => this.stop(), lingerTime)
  }

  stop(): void {
    clearTimeout(this.timer)
    if (!this.current) return
    this.current.abort()
    this.current = undefined
    this.stopped()
  }

  private start(): void {
    if (this.current) return
    const mine = (this.current = new AbortController())
    void this.run(mine.signal)
      .catch(() => undefined)
      .finally(() => {
        if (this.current !== mine) return
        this.current = undefined
        this.stopped()
      })
  }
}

export class Hub<Page> {
  private readonly pages = new Map<Page, Need & { at: number }>()
  private state: Connection = 'paused'
  private status?: SystemStatus
  private lastEventId?: string
  private sweeper?: ReturnType<typeof setInterval>
  private readonly events = new Stream(
    (signal) => this.followEvents(signal),
    () => this.setState('paused'),
  )
  private readonly statuses = new Stream(
    (signal) => this.followStatus(signal),
    () => (this.status = undefined),
  )

  /** `tell` sends news to one page, or to all pages. */
  constructor(private readonly tell: (news: News, page?: Page) => void) {}

  /** A page tells what it needs. It is told the present state. */
  need(page: Page, need: Need): void {
    const before = this.pages.get(page)
    this.pages.set(page, { ...need, at: Date.now() })
    this.sweeper ??= setInterval(() => this.sweep(), silentTime / 3)
    this.update()
    if (!need.visible) return
    if (!before?.visible) this.tell({ kind: 'connection', state: this.state }, page)
    if (need.status && !before?.status && this.status) this.tell({ kind: 'status', status: this.status }, page)
  }

  leave(page: Page): void {
    this.pages.delete(page)
    this.update()
  }

  /** Ends all streams at once. */
  close(): void {
    clearInterval(this.sweeper)
    this.sweeper = undefined
    this.pages.clear()
    this.events.stop()
    this.statuses.stop()
  }

  private update(): void {
    const visible = [...this.pages.values()].filter((need) => need.visible)
    this.events.need(visible.length > 0)
    this.statuses.need(visible.some((need) => need.status))
  }

  /** Forgets pages that crashed, so that they do not keep a stream. */
  private sweep(): void {
    const now = Date.now()
    for (const [page, need] of this.pages) if (need.visible && now - need.at > silentTime) this.pages.delete(page)
    this.update()
  }

  private setState(state: Connection): void {
    this.state = state
    this.tell({ kind: 'connection', state })
  }

  private async followEvents(signal: AbortSignal): Promise<void> {
    this.setState('connecting')
    const onConnection = (state: 'open' | 'lost') => this.setState(state)
    for await (const { streamId, event } of followEvents({
      after: this.lastEventId,
      types: streamedTypes,
      signal,
      onConnection,
    })) {
      this.lastEventId = streamId
      this.tell({ kind: 'event', event })
    }
  }

  private async followStatus(signal: AbortSignal): Promise<void> {
    for await (const status of followStatus({ signal })) {
      this.status = status
      this.tell({ kind: 'status', status })
    }
  }
}
