import { createClient, type Client } from './generated/client/index.js'
import { client as defaultClient } from './generated/client.gen.js'
import { ConnectionError, problemOf } from './problem.js'

/** How to reach a server. */
export interface ExplorerOptions {
  /** Where the server is, with the path prefix it may have behind a proxy: `https://example.org/explorer`. */
  baseUrl: string
  /** An API key, for a server that wants one. */
  key?: string
  /** Sent with every request. */
  headers?: Record<string, string>
  /** Ends a request that is not answered, in milliseconds; 30,000 unless given. Event streams are not ended by it. */
  timeout?: number
  /** Used instead of the global fetch. */
  fetch?: typeof fetch
}

/** A client to hand to the functions of this package as `client`. */
export function createExplorer(options: ExplorerOptions): Client {
  return configure(createClient(), options)
}

/** Configures the client that functions use which are not given one. */
export function configureExplorer(options: ExplorerOptions): Client {
  return configure(defaultClient, options)
}

function configure(client: Client, options: ExplorerOptions): Client {
  const { timeout = 30_000 } = options
  client.setConfig({
    baseUrl: options.baseUrl.replace(/\/+$/, ''),
    headers: options.key ? { ...options.headers, Authorization: `Bearer ${options.key}` } : options.headers,
    throwOnError: true,
    fetch: (request: RequestInfo | URL, init?: RequestInit) => {
      const base = options.fetch ?? fetch
      if (!(request instanceof Request) || request.headers.get('Accept') === 'text/event-stream') {
        return base(request, init)
      }
      return base(new Request(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(timeout)]) }), init)
    },
  })
  client.interceptors.error.clear()
  client.interceptors.error.use((error, response, request) => {
    if (response) {
      return problemOf(error, response)
    }
    if (request?.signal.aborted) {
      return error // the caller's own doing
    }
    return new ConnectionError(`no answer from ${new URL(request?.url ?? options.baseUrl).origin}`, { cause: error })
  })
  return client
}
