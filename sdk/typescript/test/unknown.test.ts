import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import * as sdk from '../src/index.js'
import { createExplorer, followEvents, followRun, followRunBatches, followStatus, listBills, listRuns, ProblemError, type RunStatus } from '../src/index.js'
import { Contract, count, newField, newValue } from './contract.js'

const run = '0197841c-2a00-7aaa-8000-000000000001'
let contract: Contract
let server: Server
let answer: (request: IncomingMessage, response: ServerResponse) => void
let client: ReturnType<typeof createExplorer>

beforeAll(async () => {
  contract = new Contract((await (await fetch(inject('url') + '/openapi.json')).json()) as Contract['document'])
  server = createServer((request, response) => answer(request, response))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  client = createExplorer({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
})

afterAll(() => server.close())

function answerWith(status: number, media: string, body: unknown) {
  answer = (_, response) => response.writeHead(status, { 'Content-Type': media }).end(typeof body === 'string' ? body : JSON.stringify(body))
}

/** Calls an operation by its id. */
async function call(id: string, options: object): Promise<unknown> {
  const operation = (sdk as unknown as Record<string, (options: object) => Promise<{ data: unknown }>>)[id]
  if (!operation) throw new Error(`the package has no ${id}`)
  return (await operation({ client, ...options })).data
}

test('every operation keeps what it does not know, and sends it', async () => {
  let tested = 0
  let values = 0
  const streams: string[] = []
  for (const { method, path, operation, parameters } of contract.operations()) {
    const given: { path: Record<string, string>; query: Record<string, unknown>; body?: unknown } = { path: {}, query: {} }
    for (const p of parameters) {
      if (p.in === 'path') given.path[p.name] = 'x'
      else if (p.in === 'query' && contract.resolve(p.schema as { $ref: string } & typeof p.schema).enum) given.query[p.name] = newValue
    }
    const body = operation.requestBody?.content?.['application/json']
    if (body) given.body = contract.sample(body.schema)
    const answers = [...contract.answers(operation)]
    if (!answers.some(({ status }) => status < 300)) {
      streams.push(operation.operationId) // none of them is JSON
      if (operation.operationId === 'streamEvents') continue
    }
    for (const { status, media, schema } of answers) {
      const where = `${method} ${path}, ${status}`
      const sample = contract.sample(schema)
      answer = (request, response) => {
        expect(request.method, where).toBe(method.toUpperCase())
        expect(count([...new URL(request.url!, 'http://x').searchParams], newValue), where).toBe(Object.keys(given.query).length)
        response.writeHead(status, { 'Content-Type': media }).end(JSON.stringify(sample))
      }
      const got = await call(operation.operationId, given).catch((error: unknown) => error)
      if (status < 300) expect(got, where).toEqual(sample)
      else if (got instanceof ProblemError) expect(got.body, where).toEqual(sample)
      else expect(got, where).toBeInstanceOf(ProblemError)
      expect(count(sample, newField), where).toBeGreaterThan(0)
      tested++
      values += count(sample, newValue)
    }
  }
  expect(tested).toBeGreaterThan(100)
  expect(values).toBeGreaterThan(100)
  expect(streams).toContain('streamEvents')
})

test('a filter takes a value that is not listed', async () => {
  const asked: (string | undefined)[] = []
  answer = (request, response) => {
    asked.push(request.url)
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"items": [], "next_cursor": null}')
  }
  await listRuns({ client, query: { status: 'paused' as RunStatus } })
  expect(asked).toEqual(['/runs?status=paused'])
})

describe('problems', () => {
  test.each([
    [422, 'application/problem+json', { type: 'urn:new', title: 'New', status: 422, detail: 'no', errors: [{ pointer: '/a', detail: 'b', [newField]: 1 }], [newField]: 1 }, 'urn:new', 'no'],
    [409, 'application/problem+json', { title: 'Only this', errors: null }, 'about:blank', 'answered 409'],
    [422, 'application/problem+json', { title: 'Odd', errors: 'many' }, 'about:blank', 'answered 422'],
    [502, 'text/html', '<h1>Bad Gateway</h1>', 'about:blank', 'answered 502'],
    [404, 'application/json', ['not', 'a', 'problem'], 'about:blank', 'answered 404'],
    [404, 'application/json', { error: 'of something else' }, 'about:blank', 'answered 404'],
    [520, 'text/html', '', 'about:blank', 'answered 520'],
    [499, 'application/json', { title: 'Client Closed Request', status: 499 }, 'about:blank', 'answered 499'],
  ])('%i %s %j', async (status, media, body, type, detail) => {
    answerWith(status, media, body)
    const error = await listBills({ client }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(ProblemError)
    expect(error).toMatchObject({ status, type, detail: expect.stringContaining(detail) as string })
    expect(Array.isArray((error as ProblemError).errors)).toBe(true)
    expect((error as ProblemError).body).toEqual(body)
    if (status < 500) await expect(followRun(run, { client }).next()).rejects.toMatchObject({ status, type })
  })
})

describe('streams', () => {
  const strange = [
    ': comment\n\n',
    'retry: 1000\n\n',
    'event: of_a_newer_server\ndata: not JSON\n\n',
    'event: of_a_newer_server\ndata: 7\n\n',
    'event: of_a_newer_server\ndata: null\n\n',
    'event: of_a_newer_server\ndata: {"some": "thing"}\n\n',
  ].join('')

  /** Serves one part of a stream after the other, each on its own connection; after that a run's is over. */
  function serve(...parts: string[]): (string | undefined)[] {
    const from: (string | undefined)[] = []
    answer = (request, response) => {
      from.push(request.headers['last-event-id'] as string | undefined)
      const part = parts.shift()
      response.writeHead(part === undefined ? 204 : 200, { 'Content-Type': 'text/event-stream' }).end(part)
    }
    return from
  }

  async function take<T>(stream: AsyncIterable<T>, n: number): Promise<T[]> {
    const got: T[] = []
    for await (const item of stream) if (got.push(item) === n) break
    return got
  }

  test('events are whole, and go on where they were', async () => {
    const event = contract.sample({ $ref: '#/components/schemas/Event' }) as Record<string, unknown>
    const message = (n: number) => `id: ${n}\nevent: ${newValue}\ndata: ${JSON.stringify({ ...event, id: n })}\n\n`
    const want = [1, 2].map((id) => ({ ...event, id }))
    const parts = () => [strange + message(1) + strange, strange, strange + message(2) + strange]
    const from = serve(...parts())
    const got: unknown[] = []
    for await (const e of followRun(run, { client })) got.push(e)
    expect(got).toEqual(want)
    expect(from).toEqual([undefined, '1', '1', '2'])
    serve(...parts())
    expect((await take(followRunBatches(run, { client }), 2)).flat()).toEqual(want)
    serve(parts().join(''))
    const all = await take(followEvents({ client }), 2)
    expect(all.map((e) => e.event)).toEqual(want)
    expect(all.map((e) => e.streamId)).toEqual(['1', '2'])
  })

  test('the status', async () => {
    const status = contract.sample({ $ref: '#/components/schemas/SystemStatus' })
    serve(`${strange}event: status\ndata: ${JSON.stringify(status)}\n\n${strange}`)
    expect(await take(followStatus({ client }), 1)).toEqual([status])
  })
})
