import { createParser } from 'eventsource-parser'

import type { Client } from './generated/client/index.js'
import { client as defaultClient } from './generated/client.gen.js'
import type { Event, SystemStatus } from './generated/types.gen.js'
import { ConnectionError, problemOf, ProblemError } from './problem.js'

/** How to follow a stream. */
export interface FollowOptions {
  /** Unless given, the client that `configureExplorer` configured. */
  client?: Client
  /** Ends the stream, without an error. */
  signal?: AbortSignal
  /**
   * Called when the connection is there (`open`) and when it was lost and will be tried again (`lost`, with the reason and the
   * wait in milliseconds).
   */
  onConnection?: (state: 'open' | 'lost', reason?: unknown, wait?: number) => void
}

/** An event, with the id from which its stream goes on. */
export interface StreamedEvent {
  streamId: string
  event: Event
}

/**
 * Gives a run's events as they happen, first those after `after` that are there already. When the connection breaks it goes on where
 * it was, without loss or repetition; it ends when the run has. Throws a ProblemError if the run does not exist.
 *
 * @example
 * for await (const event of followRun(run.id)) console.log(event.message)
 */
export async function* followRun(runId: string, options: FollowOptions & { after?: number } = {}): AsyncGenerator<Event, void, undefined> {
  const last = options.after === undefined ? '' : String(options.after)
  for await (const batch of follow(`/runs/${encodeURIComponent(runId)}/events`, isEvent, last, true, options)) {
    for (const message of batch) yield message.data
  }
}

/** Does the same, but gives all events that came together as one list: less work for a long log. */
export async function* followRunBatches(runId: string, options: FollowOptions & { after?: number } = {}): AsyncGenerator<Event[], void, undefined> {
  const last = options.after === undefined ? '' : String(options.after)
  for await (const batch of follow(`/runs/${encodeURIComponent(runId)}/events`, isEvent, last, true, options)) {
    yield batch.map((message) => message.data)
  }
}

/**
 * Gives the events of all runs from now on, or after `after` (a `streamId`), only those of `types` if given. It goes on after a broken
 * connection as followRun does, and ends only with the signal.
 */
export async function* followEvents(options: FollowOptions & { after?: string; types?: string[] } = {}): AsyncGenerator<StreamedEvent, void, undefined> {
  const query = new URLSearchParams((options.types ?? []).map((type) => ['type', type])).toString()
  for await (const batch of follow('/events' + (query && '?' + query), isEvent, options.after ?? '', false, options)) {
    for (const message of batch) yield { streamId: message.id, event: message.data }
  }
}

/** Gives the state of queues, workers, sources and schedules, and again whenever it changes. It ends only with the signal. */
export async function* followStatus(options: FollowOptions = {}): AsyncGenerator<SystemStatus, void, undefined> {
  for await (const batch of follow('/status', isStatus, '', false, options)) {
    yield batch[batch.length - 1]!.data // the newest counts
  }
}

interface Message<T> {
  id: string
  data: T
}

const firstWait = 250
const longestWait = 10_000

const isEvent = (data: unknown): data is Event => has(data, 'id', 'run_id', 'type')
const isStatus = (data: unknown): data is SystemStatus => has(data, 'queues', 'workers', 'sources', 'schedules')

function has(data: unknown, ...fields: string[]): boolean {
  return typeof data === 'object' && data !== null && fields.every((field) => field in data)
}

/** Follows a stream of what `is` knows. Messages of other kinds, which a newer server may send in between, are left out. */
async function* follow<T>(path: string, is: (data: unknown) => data is T, lastId: string, ends: boolean, options: FollowOptions): AsyncGenerator<Message<T>[], void, undefined> {
  const client = options.client ?? defaultClient
  const config = client.getConfig()
  const signal = options.signal
  let wait = firstWait
  while (!signal?.aborted) {
    let reason: unknown
    try {
      const headers = new Headers(config.headers as HeadersInit | undefined)
      headers.set('Accept', 'text/event-stream')
      if (lastId !== '') headers.set('Last-Event-ID', lastId)
      const send = config.fetch ?? fetch
      const response = await send(new Request((config.baseUrl ?? '') + path, { headers, signal, cache: 'no-store' }))
      if (response.status === 204) return
      if (!response.ok || !response.body) throw problemOf(await bodyOf(response), response)
      options.onConnection?.('open')
      let got = 0
      let batch: Message<T>[] = []
      const parser = createParser({
        onEvent: (message) => {
          got++
          lastId = message.id ?? lastId
          const data = parsed(message.data)
          if (is(data)) batch.push({ id: lastId, data })
        },
      })
      const reader = response.body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
      try {
        for (;;) {
          const { done, value } = await reader.read()
          if (done) break
          parser.feed(value)
          if (batch.length === 0) continue
          const now = batch
          batch = []
          wait = firstWait
          yield now
        }
      } finally {
        reader.cancel().catch(() => undefined)
      }
      // A run's stream that ends has told everything, which the next answer, a 204, confirms at once.
      if (ends && got > 0) continue
      reason = new ConnectionError('the stream ended')
    } catch (error) {
      if (signal?.aborted) return
      if (error instanceof ProblemError && error.status < 500 && error.status !== 429) throw error
      reason = error
    }
    options.onConnection?.('lost', reason, wait)
    await pause(wait, signal)
    wait = Math.min(wait * 2, longestWait)
  }
}

async function bodyOf(response: Response): Promise<unknown> {
  return parsed(await response.text())
}

/** JSON, or the text itself if it is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done)
  })
}
