import { apiBase } from '../lib/base'
import { Hub, type Need, type News } from './hub'

/** A connection of this page to the hub. */
export interface HubClient {
  /** Tells the hub what this page needs. */
  need: (need: Need) => void
  /** Tells the hub that this page closes. */
  leave: () => void
}

/** Connects to the hub in the shared worker. Without shared workers, visible pages choose a leader for the streams. */
export function connectHub(onNews: (news: News) => void): HubClient {
  return typeof SharedWorker === 'function' ? connectWorker(onNews) : connectLeader(onNews)
}

function connectWorker(onNews: (news: News) => void): HubClient {
  const worker = new SharedWorker(new URL('./hub-worker.ts', import.meta.url), { type: 'module', name: apiBase.href })
  let fallback: HubClient | undefined
  let last: Need | undefined
  worker.port.onmessage = ({ data }: MessageEvent<News>) => onNews(data)
  worker.onerror = () => {
    // The worker could not be loaded, for example because the server was just stopped.
    fallback ??= connectLeader(onNews)
    if (last) fallback.need(last)
  }
  return {
    need: (need) => {
      last = need
      if (fallback) fallback.need(need)
      else worker.port.postMessage(need)
    },
    leave: () => {
      if (fallback) fallback.leave()
      else worker.port.postMessage('leave')
    },
  }
}

type Note = { to: 'leader'; page: string; need: Need | 'leave' } | { to: 'pages'; page?: string; news: News }

/**
 * The visible page that holds the lock leads: it holds the streams and passes on the news in a broadcast channel. A
 * page gives up the lock when it is hidden, and the next visible page takes it. Browsers have locks over HTTPS
 * and on this machine only. Without them, each visible page holds the streams for itself.
 */
function connectLeader(onNews: (news: News) => void): HubClient {
  const me = Array.from(crypto.getRandomValues(new Uint32Array(2)), (n) => n.toString(36)).join('')
  const name = 'live ' + apiBase.href
  const locks = (navigator as { locks?: LockManager }).locks
  const channel = locks && typeof BroadcastChannel === 'function' ? new BroadcastChannel(name) : undefined
  let mine: Need = { visible: false, status: false }
  let hub: Hub<string> | undefined
  let resign: (() => void) | undefined
  let waiting: AbortController | undefined

  const lead = () => {
    hub = new Hub<string>((news, page) => {
      if (page === undefined || page === me) onNews(news)
      if (page !== me) channel?.postMessage({ to: 'pages', page, news } satisfies Note)
    })
    hub.need(me, mine)
    return new Promise<void>((done) => {
      resign = () => {
        resign = undefined
        hub?.close()
        hub = undefined
        done()
      }
    })
  }
  const stand = () => {
    if (hub || waiting) return
    if (!channel || !locks) return void lead()
    const mineWaiting = (waiting = new AbortController())
    void locks
      .request(name, { signal: mineWaiting.signal }, async () => {
        waiting = undefined
        await lead()
      })
      .catch(() => undefined)
  }
  const stop = () => {
    waiting?.abort()
    waiting = undefined
    resign?.()
  }
  if (channel) {
    channel.onmessage = ({ data }: MessageEvent<Note>) => {
      if (data.to === 'pages') {
        if (!hub && mine.visible && (data.page === undefined || data.page === me)) onNews(data.news)
      } else if (data.need === 'leave') hub?.leave(data.page)
      else hub?.need(data.page, data.need)
    }
  }
  return {
    need: (need) => {
      mine = need
      if (!need.visible) stop()
      else stand()
      if (hub) hub.need(me, need)
      else channel?.postMessage({ to: 'leader', page: me, need } satisfies Note)
    },
    leave: () => {
      stop()
      channel?.postMessage({ to: 'leader', page: me, need: 'leave' } satisfies Note)
    },
  }
}
