/** How long a stream may be silent, in milliseconds. The server sends a line every 15 seconds. */
const silentTime = 40_000

/**
 * A fetch whose event streams fail if the server is silent. A connection that a proxy or a network dropped without a
 * word looks open, and the page would show "Live" for good.
 */
export function failOnSilence(send: typeof fetch, limit = silentTime): typeof fetch {
  return async (input, init) => {
    const response = await send(input, init)
    if (!response.body || !response.headers.get('Content-Type')?.startsWith('text/event-stream')) return response
    let timer: ReturnType<typeof setTimeout> | undefined
    const watch = new TransformStream<Uint8Array, Uint8Array>({
      start: (controller) => arm(controller),
      transform: (chunk, controller) => {
        arm(controller)
        controller.enqueue(chunk)
      },
      flush: () => clearTimeout(timer),
    })
    function arm(controller: TransformStreamDefaultController<Uint8Array>): void {
      clearTimeout(timer)
      timer = setTimeout(() => controller.error(new Error('the server is silent')), limit)
    }
    const { status, statusText, headers } = response
    return new Response(response.body.pipeThrough(watch), { status, statusText, headers })
  }
}
