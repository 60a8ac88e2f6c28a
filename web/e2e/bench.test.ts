import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Browser } from '@playwright/test'

import { expect, type Explorer, test } from './explorer'

// Benchmarks of the UI: make bench-ui. They print figures and have no limits, as machines differ.
test.skip(!process.env.BENCH, 'only when asked for')
test.use({ trace: 'off' }) // recording slows down rendering

const lines = 100_000
const id = '0197841c-2a00-7aaa-8000-00000000b16b'

/** Inserts a run with a long log directly into the database. */
function longRun(data: string): void {
  const socket = readFileSync(join(data, 'postgres/postmaster.pid'), 'utf8').split('\n')[4]!
  const versions = '/usr/lib/postgresql'
  const psql = process.env.PSQL ?? join(versions, readdirSync(versions).sort().at(-1)!, 'bin/psql')
  const sql = `
    INSERT INTO runs (id, assets, status, trigger_kind, config, tags, created_at, started_at, ended_at)
      VALUES ('${id}', '{fetch_latest_bills}', 'success', 'api', '{"fetch_latest_bills": {"limit": 50}}', '{}',
              now() - interval '1 hour', now() - interval '1 hour', now());
    INSERT INTO steps (run_id, asset, upstream, status, attempt, started_at, ended_at)
      VALUES ('${id}', 'fetch_latest_bills', '{}', 'success', 1, now() - interval '1 hour', now());
    INSERT INTO events (run_id, at, type, level, asset, attempt, message, data)
      SELECT '${id}', now() - interval '1 hour' + i * interval '30 ms',
             CASE WHEN i = 1 THEN 'run_enqueued' WHEN i = ${lines} THEN 'run_success' ELSE 'log' END,
             CASE WHEN i % 1000 = 0 THEN 'error' WHEN i % 100 = 0 THEN 'warn' ELSE 'info' END, 'fetch_latest_bills', 1,
             'line ' || i || ' of the log: fetched a record and stored it',
             CASE WHEN i % 10 = 0 THEN jsonb_build_object('n', i) END
      FROM generate_series(1, ${lines}) i;`
  execFileSync(psql, ['-h', socket, '-p', '5432', '-U', 'explorer', '-d', 'explorer', '-q', '-v', 'ON_ERROR_STOP=1'], {
    input: sql,
  })
}

/** The share of 20 s in which a page's main thread has nothing to do, while a run starts every two seconds. */
async function idle(browser: Browser, explorer: Explorer): Promise<string> {
  const page = await (await browser.newContext()).newPage()
  await page.goto(`${explorer.url}/ui/overview`)
  await expect(page.locator('.side [data-connection]')).toHaveAttribute('data-connection', 'open')
  await page.waitForLoadState('networkidle', { timeout: 5_000 }).catch(() => undefined) // streams never end
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable')
  const busy = async () =>
    (await session.send('Performance.getMetrics')).metrics.find((m) => m.name === 'TaskDuration')!.value
  const [before, began] = [await busy(), Date.now()]
  while (Date.now() - began < 20_000) {
    await explorer.materialize('fetch_latest_bills', { limit: 1 })
    await page.waitForTimeout(2_000)
  }
  const share = 1 - ((await busy()) - before) / ((Date.now() - began) / 1000)
  await page.context().close()
  return `${(100 * share).toFixed(1)} %`
}

/** The time from the answer with a graph of 1,000 assets until all are in the page and painted, in milliseconds. */
async function largeGraph(browser: Browser, explorer: Explorer): Promise<number> {
  const page = await (await browser.newContext()).newPage()
  const node = (await explorer.api<{ nodes: object[] }>('/assets/graph')).nodes[0]!
  const nodes = Array.from({ length: 1000 }, (_, i) => ({ ...node, name: `asset_${i}` }))
  const edges = nodes
    .slice(10)
    .flatMap((n, i) => [
      { from: `asset_${i + 9 - ((i * 7) % 10)}`, to: n.name },
      ...(i % 3 ? [] : [{ from: `asset_${i - (i % 5)}`, to: n.name }]),
    ])
  await page.goto(`${explorer.url}/ui/assets?view=graph`)
  await expect(page.locator('.graph-node').first()).toBeVisible()
  let answeredAt = 0
  await page.route('**/assets/graph?*', async (route) => {
    answeredAt = Date.now()
    await route.fulfill({ json: { nodes, edges } })
  })
  await page.evaluate((count) => {
    const painted = new Promise<number>((done) => {
      new MutationObserver((_, observer) => {
        if (document.querySelectorAll('.graph-node').length < count) return
        observer.disconnect()
        requestAnimationFrame(() => setTimeout(() => done(Date.now())))
      }).observe(document.body, { subtree: true, childList: true })
    })
    Object.assign(window, { painted })
  }, nodes.length)
  await page.getByLabel('Selection').fill('asset_*')
  const paintedAt = await page.evaluate(() => (window as unknown as { painted: Promise<number> }).painted)
  await page.context().close()
  return paintedAt - answeredAt
}

const middle = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!

test('speed', async ({ browser, explorer }) => {
  test.setTimeout(300_000)
  longRun(explorer.data)
  const rows: [string, string][] = []
  const small = await explorer.materialize('fetch_latest_bills', { limit: 5 })
  const opening = async (run: string) => {
    const times: number[] = []
    for (let i = 0; i < 5; i++) {
      const page = await (await browser.newContext()).newPage()
      const began = Date.now()
      await page.goto(`${explorer.url}/ui/runs/${run}`, { waitUntil: 'commit' })
      await page.waitForSelector('.log-row')
      times.push(Date.now() - began)
      await page.context().close()
    }
    return middle(times)
  }
  rows.push(
    ['a run opens, empty cache (short log)', `${await opening(small)} ms`],
    [`a run opens, empty cache (${lines} lines)`, `${await opening(id)} ms`],
  )

  const page = await (await browser.newContext()).newPage()
  await page.goto(`${explorer.url}/ui/runs/${id}`)
  const log = page.locator('.log[data-complete="true"]')
  await expect(log).toHaveAttribute('data-lines', String(lines), { timeout: 60_000 })
  const frames = await page.evaluate(async () => {
    const element = document.querySelector('.log')!
    const gaps: number[] = []
    let last = performance.now()
    for (const end = last + 4000; performance.now() < end;) {
      await new Promise(requestAnimationFrame)
      gaps.push(performance.now() - last)
      last = performance.now()
      element.scrollTop += 400
    }
    return gaps.sort((a, b) => a - b)
  })
  rows.push(
    ['frames a second while it scrolls', (frames.length / 4).toFixed(0)],
    ['95th percentile between frames', `${frames[Math.floor(frames.length * 0.95)]!.toFixed(1)} ms`],
  )

  await explorer.control('faults?latency=300ms')
  const run = await explorer.api<{ id: string }>('/assets/fetch_parliament_session_bills/materialize', {
    config: { parliament: 44, session: 1 },
  })
  await page.goto(`${explorer.url}/ui/runs/${run.id}`)
  await page.waitForSelector('.log-row')
  await page.evaluate(() => {
    const seen = new Set([...document.querySelectorAll<HTMLElement>('.log-row')].map((r) => r.dataset.event))
    const lags: number[] = []
    Object.assign(window, { lags })
    new MutationObserver(() => {
      for (const row of document.querySelectorAll<HTMLElement>('.log-row')) {
        if (seen.has(row.dataset.event)) continue
        seen.add(row.dataset.event)
        lags.push(Date.now() - Date.parse(row.querySelector('time')!.dateTime))
      }
    }).observe(document.querySelector('.log')!, { subtree: true, childList: true })
  })
  await expect(page.locator('h1 + [data-status]')).toHaveAttribute('data-status', 'success', { timeout: 60_000 })
  await explorer.control('faults?latency=0s')
  const lags = await page.evaluate(() => (window as unknown as { lags: number[] }).lags)
  rows.push(['event to screen, median / worst', `${middle(lags)} / ${Math.max(...lags)} ms of ${lags.length}`])

  for (const path of ['', 'assets', `runs/${small}`]) {
    const fresh = await (await browser.newContext()).newPage()
    await fresh.goto(`${explorer.url}/ui/${path}`, { waitUntil: 'load' })
    await expect(fresh.locator('.side [data-connection]')).toHaveAttribute('data-connection', 'open')
    await expect(fresh.getByRole('status', { name: 'Loading…' })).toHaveCount(0)
    const bytes = await fresh.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .filter((r) => /\/ui\//.test(r.name))
        .reduce((sum, r) => sum + (r as PerformanceResourceTiming).encodedBodySize, 0),
    )
    rows.push([`first load of /ui/${path.replace(small, '{id}')}`, `${(bytes / 1000).toFixed(0)} kB compressed`])
    await fresh.context().close()
  }
  console.log(rows.map(([what, figure]) => `${what.padEnd(48)} ${figure}`).join('\n'))
})

test('graph', async ({ browser, explorer }) => {
  console.log(`${'the graph of 1,000 assets is drawn'.padEnd(48)} ${await largeGraph(browser, explorer)} ms`)
})

test('idle', async ({ browser, explorer }) => {
  console.log(`${'main thread idle on a live overview'.padEnd(48)} ${await idle(browser, explorer)}`)
})
