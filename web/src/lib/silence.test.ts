import { expect, test, vi } from 'vitest'

import { failOnSilence } from './silence'

const stream = (type: string) => {
  let to!: ReadableStreamDefaultController<Uint8Array>
  const body = new ReadableStream<Uint8Array>({ start: (controller) => void (to = controller) })
  const answer = new Response(body, { headers: { 'Content-Type': type } })
  return { send: () => Promise.resolve(answer), say: (text: string) => to.enqueue(new TextEncoder().encode(text)) }
}

test('an event stream on which nothing arrives fails', async () => {
  vi.useFakeTimers()
  try {
    const { send, say } = stream('text/event-stream')
    const reader = (await failOnSilence(send, 1000)('http://x/')).body!.getReader()
    say(': keep-alive\n\n')
    expect((await reader.read()).done).toBe(false)
    vi.advanceTimersByTime(999)
    say('data: 1\n\n')
    expect((await reader.read()).done).toBe(false)
    const next = expect(reader.read()).rejects.toThrow('the server is silent')
    vi.advanceTimersByTime(1000)
    await next
  } finally {
    vi.useRealTimers()
  }
})

test('other responses are left alone', async () => {
  const { send } = stream('application/json')
  expect(await failOnSilence(send)('http://x/')).toBe(await send())
})
