import { readFileSync } from 'node:fs'

import { type Explorer, expect, test } from './explorer'

interface Run {
  id: string
  job: string | null
  config: Record<string, unknown>
  tags: Record<string, string>
  partition: string | null
  priority: number
  trigger: { kind: string }
}

/** Starts a run and waits until it has ended. */
async function ended(explorer: Explorer, path: string, body: unknown = {}): Promise<string> {
  const { id } = await explorer.api<{ id: string }>(path, body)
  await (await fetch(`${explorer.url}/runs/${id}/events`, { headers: { Accept: 'text/event-stream' } })).text()
  return id
}

test('a run leads to its other tries, and to the runs before and after it', async ({ page, explorer }) => {
  const before = await ended(explorer, '/jobs/monitor_job/runs')
  const run = await ended(explorer, '/jobs/monitor_job/runs')
  const again = await ended(explorer, `/runs/${run}/retry`, { priority: 1 })
  await page.goto(`${explorer.url}/ui/runs/${run}`)
  const tries = page.getByRole('listitem').filter({ hasText: /^No\. \d/ })
  await expect(tries).toHaveCount(2)
  await expect(tries.first().getByRole('link')).toHaveAttribute('aria-current', 'page')
  await tries.nth(1).getByRole('link').click()
  await expect(page.getByRole('heading', { level: 1 })).toContainText(again.slice(-8))
  await expect(page.getByText('1, first')).toBeVisible()
  await expect(tries.nth(1).getByRole('link')).toHaveAttribute('aria-current', 'page')
  await page.getByRole('link', { name: 'The run before this one' }).click()
  await expect(page.getByRole('heading', { level: 1 })).toContainText(run.slice(-8))
  await page.getByRole('link', { name: 'The run before this one' }).click()
  await expect(page.getByRole('heading', { level: 1 })).toContainText(before.slice(-8))
  await expect(tries).toHaveCount(0)
  await page.getByRole('link', { name: 'The run after this one' }).click()
  await expect(page.getByRole('heading', { level: 1 })).toContainText(run.slice(-8))
})

test('a run is started again with another config, tag and priority', async ({ page, explorer }) => {
  const { id } = await explorer.api<Run>('/jobs/fetch_bills_job/runs', {
    config: { limit: 3 },
    tags: { why: 'test', schedule: 'fetch_bills_hourly' },
    priority: 3,
  })
  await page.goto(`${explorer.url}/ui/runs/${id}`)
  await page.getByRole('link', { name: 'Edit and run…' }).click()
  await expect(page).toHaveURL(new RegExp(`/launch\\?run=${id}$`))
  await page.reload() // the address says it all
  const limit = page.getByRole('spinbutton', { name: 'limit' })
  await expect(limit).toHaveValue('3')
  await expect(page.getByLabel('Tags')).toHaveValue(/^(?!.*schedule).*why:test/)
  await expect(page.getByLabel('Priority')).toHaveValue('3')
  await limit.fill('4')
  await page.getByLabel('Tags').fill('why:changed, "quoted":it\'s')
  await page.getByLabel('Priority').selectOption('1, first')
  await page.getByText('Terminal command').click()
  await expect(page.getByText(/^explorer jobs run fetch_bills_job --tag why=changed /)).toContainText(
    `--priority 1 --config '{"limit":4`,
  )
  await page.getByRole('button', { name: 'Run the job' }).click()
  await expect(page).toHaveURL(/\/ui\/runs\/[0-9a-f-]{36}$/)
  const started = await explorer.api<Run>(`/runs/${page.url().slice(-36)}`)
  expect(started).toMatchObject({ job: 'fetch_bills_job', config: { limit: 4 }, priority: 1, trigger: { kind: 'api' } })
  expect(started.tags).toMatchObject({ why: 'changed', '"quoted"': "it's" })
  expect(started.tags.schedule).toBeUndefined()
})

test('a run of a part of its job is started again as a run of these assets', async ({ page, explorer }) => {
  const { id } = await explorer.api<Run>('/runs', {
    assets: ['bills_introduced_by_day'],
    partition: '2026-05-04',
  })
  await page.goto(`${explorer.url}/ui/launch?run=${id}`)
  await expect(page.getByRole('combobox', { name: /^Partition/ })).toHaveValue('2026-05-04')
  await page.getByRole('button', { name: 'Materialize', exact: true }).click()
  await expect(page).toHaveURL(/\/ui\/runs\/[0-9a-f-]{36}$/)
  expect(await explorer.api<Run>(`/runs/${page.url().slice(-36)}`)).toMatchObject({
    job: null,
    partition: '2026-05-04',
  })
})

test('the steps of a run: enlarged, moved by keys, as a graph, and their log', async ({ page, explorer }) => {
  const run = await ended(explorer, '/runs', { assets: ['fetch_latest_bills', 'bill_statistics'] })
  await page.goto(`${explorer.url}/ui/runs/${run}`)
  const steps = page.getByRole('group', { name: 'Steps and their attempts over time' })
  const bar = steps.locator('[data-attempt="bill_statistics 1"]')
  const before = (await bar.boundingBox())!
  await page.getByRole('button', { name: 'Zoom in' }).click()
  await expect(steps).toHaveAttribute('data-zoom', '2')
  await steps.focus()
  await page.keyboard.press('+')
  await expect(steps).toHaveAttribute('data-zoom', '4')
  const enlarged = (await bar.boundingBox())!
  expect(enlarged.width).toBeGreaterThan(before.width)
  await page.keyboard.press('ArrowLeft')
  await expect.poll(async () => (await bar.boundingBox())!.x).toBeGreaterThan(enlarged.x)
  // The wheel alone scrolls the page. With Ctrl, it zooms.
  await steps.hover()
  await page.mouse.wheel(0, 10)
  await expect(steps).toHaveAttribute('data-zoom', '4')
  await page.keyboard.down('Control')
  await page.mouse.wheel(0, 60)
  await page.keyboard.up('Control')
  await expect(steps).toHaveAttribute('data-zoom', /^(1\.|[23])/)
  await page.getByRole('button', { name: 'Show the whole run' }).click()
  await expect(steps).toHaveAttribute('data-zoom', '1')
  await expect(page.getByRole('button', { name: 'Zoom out' })).toBeDisabled()
  await expect(page.getByRole('img', { name: /^bill_statistics · waited .+ · attempt 1 · Success/ })).toBeVisible()

  await page.getByRole('button', { name: 'Show the log of bill_statistics' }).click()
  await expect(page).toHaveURL(/step=bill_statistics/)

  await page.getByRole('button', { name: 'Graph', exact: true }).click()
  await expect(page).toHaveURL(/steps=graph/)
  const node = (name: string) => page.locator('.graph-node').filter({ hasText: name })
  await expect(node('bill_statistics')).toContainText('Success')
  const [from, to] = [await node('fetch_latest_bills').boundingBox(), await node('bill_statistics').boundingBox()]
  expect(from!.x + from!.width).toBeLessThanOrEqual(to!.x)
})

test('a log is downloaded as JSON, one event a line', async ({ page, explorer }) => {
  const run = await explorer.materialize('fetch_latest_bills', { limit: 2 })
  await page.goto(`${explorer.url}/ui/runs/${run}`)
  const log = page.getByRole('region', { name: 'Log of the run' })
  await expect(log).toHaveAttribute('data-complete', 'true')
  await page.getByRole('button', { name: 'Download' }).click()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('menuitem', { name: 'JSON, one event a line' }).click(),
  ])
  const lines = readFileSync(await download.path(), 'utf8')
    .trimEnd()
    .split('\n')
  const { items } = await explorer.api<{ items: unknown[] }>(`/runs/${run}/events?limit=500`)
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(items)
})
