import { resolve } from 'node:path'

import { expect, test } from './explorer'

// Takes the screenshots of docs/web-ui.md: make screenshots. They show the simulated Parliament.
test.skip(!process.env.SCREENSHOTS, 'only when asked for')

test('pictures for the documentation', async ({ browser, explorer }) => {
  test.setTimeout(180_000)
  const images = resolve(import.meta.dirname, '../../docs/images')
  for (const day of ['2024-06-01', '2024-12-01', '2025-04-01']) {
    await explorer.control(`clock?as_of=${day}`)
    await explorer.materialize('fetch_latest_bills', { limit: 50 })
    await explorer.materialize('fetch_parliament_session_bills', { parliament: 44, session: 1 })
  }
  // This session has no bills yet.
  await explorer.materialize('fetch_parliament_session_bills', { parliament: 45, session: 1 })
  await explorer.control('clock?as_of=2026-06-18')
  for (const limit of [20, 35, 50]) await explorer.materialize('fetch_latest_bills', { limit })
  await explorer.materialize('fetch_parliament_session_bills', { parliament: 44, session: 1 })
  await explorer.materialize('monitor_fetch_operations')
  for (const schedule of ['fetch_bills_hourly', 'monitor_daily']) await explorer.api(`/schedules/${schedule}/start`, {})
  await explorer.api('/schedules/monitor_daily/run', {})
  const { items } = await explorer.api<{ items: { id: string; version: number; law: boolean }[] }>(
    '/bills?session=44-1&law=true&limit=200',
  )
  const bill = items.find((b) => b.version > 2) ?? items[0]!
  const shoot = async (
    name: string,
    path: string,
    scheme: 'light' | 'dark',
    prepare: (page: import('@playwright/test').Page) => Promise<void>,
    viewport = { width: 1280, height: 800 },
  ) => {
    const context = await browser.newContext({
      colorScheme: scheme,
      viewport,
      reducedMotion: 'reduce',
      timezoneId: 'America/Toronto',
      locale: 'en-CA',
    })
    const page = await context.newPage()
    await page.goto(`${explorer.url}/ui/${path}`)
    await expect(page.locator('h1')).toBeVisible()
    await expect(page.getByRole('status', { name: 'Loading…' })).toHaveCount(0)
    await expect(page.locator('[data-connection]').first()).toHaveAttribute('data-connection', 'open')
    await prepare(page)
    await page.screenshot({ path: `${images}/${name}.png` })
    await context.close()
  }
  // Slow sources keep a run in progress.
  await explorer.control('faults?latency=1500ms')
  const run = await explorer.api<{ id: string }>('/jobs/fetch_session_job/runs', {
    config: { parliament: 45, session: 1 },
    tags: { reason: 'backlog' },
  })
  await shoot('overview', '', 'light', (page) =>
    expect(page.getByRole('region', { name: 'Running now' }).locator('[data-status=started]').first()).toBeVisible(),
  )
  await shoot('run', `runs/${run.id}`, 'dark', (page) =>
    expect(page.locator('.log-row').nth(3)).toBeVisible({ timeout: 60_000 }),
  )
  await explorer.control('faults?latency=0s')
  // A series of equal values is a flat line, which has no height and so does not count as visible.
  await shoot('asset', 'assets/fetch_latest_bills?tab=plots', 'light', (page) =>
    expect(page.locator('.series').first()).toHaveAttribute('d', /L/),
  )
  await shoot('launchpad', 'assets/fetch_parliament_session_bills?tab=launch', 'light', async (page) => {
    await page.getByLabel(/^parliament\*/).fill('44')
    await page.getByLabel('limit', { exact: true }).fill('0')
    await page.getByRole('button', { name: 'Materialize', exact: true }).click()
    await expect(page.getByRole('alert')).toBeVisible()
    await page.mouse.move(0, 0)
  })
  await shoot('bill', `bills/${bill.id}`, 'light', (page) =>
    expect(page.getByRole('heading', { name: 'Progress' })).toBeVisible(),
  )
  const heading = (page: import('@playwright/test').Page) => expect(page.locator('h1')).toBeVisible()
  await shoot('graph', 'assets?view=graph&selection=fetch_latest_bills%2B', 'light', (page) =>
    expect(page.locator('.graph-node.selected').first()).toBeVisible(),
  )
  await shoot('home', 'home', 'light', heading)
  await shoot('search', 'search?q=online+streaming', 'dark', (page) =>
    expect(
      page
        .getByRole('main')
        .getByRole('link', { name: /[A-Z]-\d+/ })
        .first(),
    ).toBeVisible(),
  )
  await shoot('bill-phone-french', `bills/${bill.id}?lang=fr`, 'light', heading, { width: 390, height: 844 })
  await explorer.materialize('data_quality')
  await shoot('data', 'data', 'light', heading)
  for (const sensor of ['new_bills_sensor', 'fetch_failure_sensor']) await explorer.api(`/sensors/${sensor}/start`, {})
  await shoot('automation', 'automation', 'dark', (page) => expect(page.getByRole('switch').first()).toBeVisible())
  const backfill = await explorer.api<{ id: string }>('/backfills', {
    assets: ['bills_introduced_by_day'],
    range: { from: '2025-09-01' },
    concurrency: 20,
  })
  await expect
    .poll(async () => (await explorer.api<{ ended_at: string | null }>(`/backfills/${backfill.id}`)).ended_at, {
      timeout: 60_000,
    })
    .not.toBeNull()
  await shoot('partitions', 'assets/bills_introduced_by_day?tab=partitions', 'light', async (page) => {
    const map = page.getByRole('group', { name: 'Partitions of day' })
    await map.getByRole('button', { name: /2025-08-20/ }).click()
    await map.getByRole('button', { name: /2025-08-31/ }).click({ modifiers: ['Shift'] })
    await page.mouse.move(0, 0)
  })
})
