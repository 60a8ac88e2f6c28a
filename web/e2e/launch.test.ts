import { expect, type Locator } from '@playwright/test'

import { test } from './explorer'

test('one mistake is told once, beside its field, in plain words', async ({ page, explorer }) => {
  let asked = 0
  page.on('request', (request) => {
    if (request.method() === 'POST' && request.url().endsWith('/materialize')) asked++
  })
  await page.goto(`${explorer.url}/ui/assets/fetch_latest_bills?tab=launch`)
  const limit = page.getByLabel('limit', { exact: true })
  await limit.fill('0')
  await page.getByRole('button', { name: 'Materialize', exact: true }).click()
  await expect(page.getByText('1–500')).toHaveCount(1)
  await expect(page.locator('.rjsf').getByText('Enter a number in the range 1–500.')).toBeVisible()
  await expect(page.getByText(/less than|minimum/)).toHaveCount(0)
  await expect(limit).toBeFocused()
  expect(asked).toBe(0)
  await limit.fill('5')
  await expect(page.getByText('1–500')).toHaveCount(0)
  await expect(page.getByRole('alert')).toHaveCount(0)
})

test('each field that is missing is marked, also one that nobody has touched', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/assets/fetch_parliament_session_bills?tab=launch`)
  await page.getByRole('button', { name: 'Materialize', exact: true }).click()
  await expect(page.getByText('Correct the fields marked above.')).toBeVisible()
  await expect(page.locator('.rjsf').getByText('A value is required.')).toHaveCount(2)
})

test('the configs of the last runs can be chosen, in any browser', async ({ page, explorer }) => {
  await explorer.materialize('fetch_latest_bills', { limit: 7 })
  await explorer.materialize('fetch_latest_bills', { limit: 8 })
  await page.goto(`${explorer.url}/ui/assets/fetch_latest_bills?tab=launch`)
  const recent = page.getByLabel('Recent configs')
  await expect(recent).toBeEnabled()
  await recent.selectOption('{"limit":7}')
  await expect(page.getByLabel('limit', { exact: true })).toHaveValue('7')
  await page.getByRole('radio', { name: 'JSON' }).click()
  await recent.selectOption('{"limit":8}')
  await expect(page.getByLabel('JSON', { exact: true })).toHaveText('{  "limit": 8}')
})

test('the config as text is completed from its JSON Schema', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/assets/fetch_latest_bills?tab=launch`)
  await page.getByRole('radio', { name: 'JSON' }).click()
  const json = page.getByRole('textbox', { name: 'JSON', exact: true })
  await json.click()
  // Enter right after the options have changed is ignored, so that nothing is chosen by accident.
  await expect(async () => {
    await page.keyboard.press('Control+A')
    await page.keyboard.type('{')
    await page.keyboard.press('Control+Space')
    const limit = page.getByRole('option', { name: 'limit integer 1–500' })
    await expect(limit).toHaveAttribute('aria-selected', 'true')
    await expect(page.getByText(/^Number of the most recently introduced bills/)).toBeVisible()
    await page.keyboard.press('Enter')
    await expect(json).toHaveText('{"limit": 50', { timeout: 500 })
  }).toPass()
  await page.keyboard.type('}')

  // Another language keeps what is there, and completes values. Escape, then Tab leaves the editor.
  await page.getByRole('radio', { name: 'YAML' }).click()
  const yaml = page.getByRole('textbox', { name: 'YAML', exact: true })
  await expect(yaml).toContainText('limit: 50')
  await yaml.click()
  await page.keyboard.press('Control+A')
  await page.keyboard.type('limit: 5')
  // So is a click.
  await expect(async () => {
    const option = page.getByRole('option', { name: '500' })
    if (!(await option.isVisible())) await page.keyboard.press('Control+Space')
    await option.click({ timeout: 1_000 })
    await expect(yaml).toHaveText('limit: 500', { timeout: 500 })
  }).toPass()
  await page.keyboard.press('Tab')
  await expect(yaml).not.toBeFocused()
  await page.getByRole('button', { name: 'Materialize', exact: true }).click()
  await expect(page).toHaveURL(/\/runs\//)
})

test('a schedule and a sensor say what they would do now, and do nothing', async ({ page, explorer }) => {
  await explorer.materialize('fetch_latest_bills', { limit: 5 })
  await page.goto(`${explorer.url}/ui/automation/schedules/monitor_daily`)
  const card = page.getByRole('region', { name: 'What would it do now?' })
  await card.getByRole('button', { name: 'What would it do now?' }).click()
  await expect(card.getByText('It would start 1 run.')).toBeVisible()
  await expect(card.getByRole('link', { name: 'monitor_job' })).toBeVisible()
  await expect(card.getByText('schedule: monitor_daily')).toBeVisible()
  const ticks = await explorer.api<{ items: unknown[] }>('/schedules/monitor_daily/ticks')
  expect(ticks.items).toEqual([])

  await page.goto(`${explorer.url}/ui/automation/sensors/fetch_failure_sensor`)
  await card.getByRole('button', { name: 'What would it do now?' }).press('Enter')
  await expect(card.getByText('Skipped')).toBeVisible()
  await expect(card.getByText('nothing new')).toBeVisible()
  await expect(card.getByText('Nothing was started or recorded.')).toBeVisible()
})

test('partitions are labelled by session and selected by Parliament', async ({ page, explorer }) => {
  await explorer.materialize('parliament_sessions')
  await page.route(/\/partitions$/, async (route) => {
    const answer = (await (await route.fetch()).json()) as { items: object[] }
    const more = ['43-1', '43-2'].map((key) => ({ key, status: 'missing', run_id: null, materialized_at: null }))
    await route.fulfill({ json: { ...answer, items: [...more, ...answer.items] } })
  })
  await page.goto(`${explorer.url}/ui/assets/fetch_parliament_session_bills?tab=partitions`)
  await expect(page.getByRole('button', { name: '43rd Parliament, 2nd session (43-2): Missing' })).toBeVisible()
  const range = page.getByLabel('Partition or range')
  await expect(page.locator('datalist option[value="43"]')).toHaveText('All: 43rd Parliament')
  await range.fill('all of the 43rd')
  await range.press('Enter')
  await expect(page.getByText('2 selected')).toBeVisible()
  await range.fill('43-2..44')
  await range.press('Enter')
  await expect(page.getByText('3 selected')).toBeVisible()
  await range.fill('99')
  await range.press('Enter')
  await expect(page.getByText('No partition matches “99”.')).toBeVisible()

  await page.unroute(/\/partitions$/)
  await page.goto(`${explorer.url}/ui/assets/bills_introduced_by_day?tab=partitions`)
  await range.fill('2026-03')
  await range.press('Enter')
  await expect(page.getByText('31 selected')).toBeVisible()
  await expect(page.getByRole('button', { name: /^March 7, 2026 \(2026-03-07\)/ })).toBeAttached()
})

test('metadata has tables and links, and plots have no identifiers', async ({ page, explorer }) => {
  await explorer.materialize('parliament_sessions') // a run of a known session is of its partition
  for (const parliament of [44, 45, 44, 45])
    await explorer.materialize('fetch_parliament_session_bills', { parliament, session: 1 })
  await page.goto(`${explorer.url}/ui/assets/fetch_parliament_session_bills?tab=plots`)
  const plot = page.getByRole('region', { name: 'bills_fetched' })
  for (const partition of ['44-1', '45-1']) {
    // a series for each
    await expect(plot.locator(`path.series[data-partition="${partition}"]`)).toHaveCount(1)
  }
  const legend = plot.getByRole('listitem').filter({ hasText: '45-1' })
  const colour = (line: Locator) => line.evaluate((e) => getComputedStyle(e).stroke)
  const line = plot.locator('path.series[data-partition="45-1"]')
  expect(await colour(legend.locator('.series'))).toBe(await colour(line))
  expect(await colour(line)).not.toBe(await colour(plot.locator('path.series[data-partition="44-1"]')))
  await expect(page.getByRole('region', { name: 'parliament', exact: true })).toHaveCount(0)
  await expect(page.getByRole('region', { name: 'session', exact: true })).toHaveCount(0)

  await page.route(`${explorer.url}/assets/bill_statistics`, async (route) => {
    const answer = await route.fetch()
    const asset = (await answer.json()) as Record<string, unknown>
    const metadata = { source: 'https://example.org/x', rows: [{ a: 1, b: 'two' }, { a: 3 }], nested: { key: 'value' } }
    const at = { id: 'x', asset: 'bill_statistics', partition: null, run_id: 'x', created_at: '2026-01-01T00:00:00Z' }
    await route.fulfill({ json: { ...asset, last_materialization: { ...at, metadata } } })
  })
  await page.goto(`${explorer.url}/ui/assets/bill_statistics`)
  await expect(page.getByRole('link', { name: 'https://example.org/x' })).toHaveAttribute(
    'href',
    'https://example.org/x',
  )
  await expect(page.getByRole('columnheader', { name: 'b', exact: true })).toBeVisible()
  await expect(page.getByRole('cell', { name: 'two' })).toBeVisible()
  await expect(page.getByRole('rowheader', { name: 'key' })).toBeVisible()
})

test('assets are filtered by owner, kind and tag', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/assets`)
  await page.getByLabel('Owners').selectOption('team:operations')
  await expect(page).toHaveURL(/owner=team/)
  await expect(page.getByRole('link', { name: 'data_quality', exact: true })).toBeVisible()
  await expect(page.getByRole('link', { name: 'fetch_latest_bills', exact: true })).toHaveCount(0)
  await page.getByLabel('Kinds').selectOption('rss')
  await expect(page.getByText('No asset matches the filters')).toBeVisible()
  await page.getByLabel('Owners').selectOption('')
  await page.getByRole('link', { name: 'generate_rss_feeds', exact: true }).click()
  await expect(page.getByRole('link', { name: 'team:data' })).toBeVisible()
  await page.getByRole('link', { name: 'audience:readers' }).click()
  await expect(page.getByLabel('Tags')).toHaveValue('audience:readers')
})
