import { configureExplorer } from '@parliament-explorer/sdk'

import { failOnSilence } from '../lib/silence'
import { Hub, type Need, type News } from './hub'

/* The shared worker with the streams of all pages of the browser. Its name is the address of the API. */

interface SharedWorkerScope {
  name: string
  onconnect: ((event: MessageEvent) => void) | null
}

const scope = self as unknown as SharedWorkerScope
// eslint-disable-next-line no-restricted-globals -- the SDK sends its requests with it
configureExplorer({ baseUrl: scope.name, fetch: failOnSilence((...request) => fetch(...request)) })

const ports = new Set<MessagePort>()
const hub = new Hub<MessagePort>((news: News, page) => {
  for (const port of page ? [page] : ports) port.postMessage(news)
})

scope.onconnect = (event) => {
  const port = event.ports[0]!
  ports.add(port)
  port.onmessage = ({ data }: MessageEvent<Need | 'leave'>) => {
    if (data !== 'leave') return hub.need(port, data)
    hub.leave(port)
    ports.delete(port)
  }
  port.start()
}
