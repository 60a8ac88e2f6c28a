import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'

import { describe, expect, inject, test } from 'vitest'

import { ConnectionError, createExplorer, followEvents, followRun, followStatus, getBill, getRun, listAssets, listBills, materializeAsset, ProblemError } from '../src/index.js'

const client = createExplorer({ baseUrl: inject('url') + '/' })

async function materialize(limit: number) {
  return (await materializeAsset({ client, path: { asset: 'fetch_latest_bills' }, body: { config: { limit } } })).data
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const got: T[] = []
  for await (const item of stream) got.push(item)
  return got
}

test('materialize, follow, read bills', async () => {
  expect((await listAssets({ client })).data.items.map((a) => a.name)).toContain('fetch_latest_bills')
  const run = await materialize(7)
  const events = await all(followRun(run.id, { client }))
  expect(events.at(0)?.type).toBe('run_enqueued')
  expect(events.at(-1)?.type).toBe('run_success')
  const ids = events.map((e) => e.id)
  expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b))
  expect((await all(followRun(run.id, { client, after: ids[2] }))).map((e) => e.id)).toEqual(ids.slice(3))

  const ended = (await getRun({ client, path: { run_id: run.id } })).data
  expect(ended.status).toBe('success')
  expect(ended.materializations[0]?.metadata.bills_fetched).toBe(7)

  const bills = (await listBills({ client, query: { limit: 3 } })).data.items
  expect(bills).toHaveLength(3)
  const first = bills[0]!
  const bill = (await getBill({ client, path: { session: `${first.parliament}-${first.session}`, number: first.number } })).data
  expect(bill.title).toEqual(first.title)
})

describe('errors', () => {
  test('a field at fault is named', async () => {
    const error = await materialize(501).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(ProblemError)
    expect(error).toMatchObject({ status: 422, type: 'urn:parliament-explorer:invalid', errors: [{ pointer: '/config/limit' }] })
  })

  test('a run that is not there', async () => {
    await expect(all(followRun('0197841c-2a00-7aaa-8000-000000000001', { client }))).rejects.toMatchObject({ name: 'ProblemError', status: 404 })
  })

  test('no server', async () => {
    const nowhere = createExplorer({ baseUrl: 'http://127.0.0.1:9' })
    await expect(listAssets({ client: nowhere })).rejects.toBeInstanceOf(ConnectionError)
  })

  test('a server that does not answer', async () => {
    const silent = createServer(() => undefined)
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
    const slow = createExplorer({ baseUrl: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`, timeout: 100 })
    await expect(listAssets({ client: slow })).rejects.toBeInstanceOf(ConnectionError)
    silent.closeAllConnections()
    silent.close()
  })
})

describe('streams', () => {
  test('a broken one goes on without loss or repetition', async () => {
    const run = await materialize(5)
    const whole = (await all(followRun(run.id, { client }))).map((e) => e.id)
    let cuts = 0
    // Cuts the first connections off in the middle of an event.
    const proxy = createServer((incoming, outgoing) => {
      const asked = httpRequest(inject('url') + incoming.url, { headers: incoming.headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        let sent = 0
        answer.on('data', (chunk: Buffer) => {
          sent += chunk.length
          if (cuts < 3 && sent > 500) {
            cuts++
            outgoing.write(chunk.subarray(0, 500))
            outgoing.flushHeaders()
            setImmediate(() => outgoing.destroy())
            answer.destroy()
          } else outgoing.write(chunk)
        })
        answer.on('end', () => outgoing.end())
      })
      asked.end()
    })
    await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done))
    const through = createExplorer({ baseUrl: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` })
    const states: string[] = []
    const got = await all(followRun(run.id, { client: through, onConnection: (state) => states.push(state) }))
    proxy.close()
    expect(got.map((e) => e.id)).toEqual(whole)
    expect(cuts).toBe(3)
    expect(states.filter((state) => state === 'open').length).toBeGreaterThan(3)
  })

  test('all runs, by type, until aborted', async () => {
    const stop = new AbortController()
    const types: string[] = []
    const reading = (async () => {
      for await (const { event } of followEvents({ client, types: ['run_success', 'run_failure'], signal: stop.signal, onConnection: (state) => state === 'open' && void materialize(5) })) {
        types.push(event.type)
        stop.abort()
      }
    })()
    await reading
    expect(types).toEqual(['run_success'])
  })

  test('the status', async () => {
    for await (const status of followStatus({ client })) {
      expect(status.workers.filter((w) => w.alive)).toHaveLength(1)
      expect(status.sources.map((s) => s.name)).toEqual(['legisinfo', 'openparliament'])
      break
    }
  })
})

test('a key goes with every request, streams too', async () => {
  const seen: (string | undefined)[] = []
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization)
    response.writeHead(request.headers.accept === 'text/event-stream' ? 204 : 401, { 'Content-Type': 'application/problem+json' })
    response.end(request.headers.accept === 'text/event-stream' ? undefined : JSON.stringify({ type: 'urn:x', title: 'Unauthorized', status: 401, detail: 'no', errors: [] }))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const keyed = createExplorer({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, key: 'pex_1', headers: { 'X-Other': '1' } })
  await expect(listAssets({ client: keyed })).rejects.toMatchObject({ name: 'ProblemError', status: 401 })
  expect(await all(followRun('0197841c-2a00-7aaa-8000-000000000001', { client: keyed }))).toEqual([])
  expect(seen).toEqual(['Bearer pex_1', 'Bearer pex_1'])
  server.close()
})
