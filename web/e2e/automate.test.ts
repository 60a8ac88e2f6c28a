import { expect, test } from './explorer'

test('a sensor is started, evaluated, and its cursor reset', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/automation`)
  const row = page.getByRole('row', { name: /new_bills_sensor/ })
  await row.getByRole('switch', { name: 'Sensor new_bills_sensor' }).click()
  await expect
    .poll(async () => (await explorer.api<{ running: boolean }>('/sensors/new_bills_sensor')).running)
    .toBe(true)
  await row.getByRole('link', { name: 'new_bills_sensor' }).click()
  await expect(page.getByRole('heading', { name: 'new_bills_sensor' })).toBeVisible()
  await expect(page.getByRole('cell', { name: 'no new bills' }).first()).toBeVisible() // the first scheduled tick, live

  await explorer.materialize('fetch_latest_bills', { limit: 5 }) // stores bills
  await expect(page.getByRole('cell', { name: 'Started a run' }).first()).toBeVisible({ timeout: 20_000 })
  await page.getByRole('button', { name: 'Evaluate now: new_bills_sensor' }).click()
  await expect(page.getByText('Evaluated: Skipped: no new bills', { exact: true })).toBeVisible()

  await page.getByRole('switch', { name: 'Sensor new_bills_sensor' }).click()
  await expect
    .poll(async () => (await explorer.api<{ running: boolean }>('/sensors/new_bills_sensor')).running)
    .toBe(false)
  await page.getByRole('button', { name: 'Reset' }).click()
  await page.getByRole('alertdialog').getByRole('button', { name: 'Reset' }).click()
  await expect
    .poll(async () => (await explorer.api<{ cursor: string | null }>('/sensors/new_bills_sensor/cursor')).cursor)
    .toBeNull()
})

test('a backfill: what it would do, its progress, pause, cancel', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/backfills`)
  await page.getByLabel('Assets', { exact: true }).fill('bills_introduced_by_day')
  await page.getByLabel('From').fill('2026-03-20')
  await page.getByLabel('To', { exact: true }).fill('2026-03-01')
  await page.getByRole('button', { name: 'Preview' }).click()
  await expect(page.getByText('"2026-03-20" comes after "2026-03-01"').first()).toBeVisible() // the server's message
  await page.getByLabel('From').fill('2026-03-01')
  await page.getByLabel('To', { exact: true }).fill('2026-03-20')
  await page.getByRole('button', { name: 'Preview' }).click()
  await expect(page.getByText('20 runs, 2 at a time, for these partitions of day:')).toBeVisible()
  await page.getByRole('button', { name: 'Start the backfill' }).click()
  await expect(page).toHaveURL(/\/backfills\/[0-9a-f-]{36}$/)
  await expect(page.getByRole('progressbar')).toHaveAttribute('aria-valuenow', '20')
  await expect(page.getByText('20 of 20 done')).toBeVisible()
  await expect(page.getByRole('row', { name: /2026-03-08/ }).getByText('Success')).toBeVisible()

  // A slow backfill, to be paused and canceled.
  await explorer.control('faults?latency=3s')
  try {
    await explorer.materialize('parliament_sessions')
    const { id } = await explorer.api<{ id: string }>('/backfills', {
      assets: ['fetch_parliament_session_bills'],
      concurrency: 1,
    })
    await page.goto(`${explorer.url}/ui/backfills/${id}`)
    await page.getByRole('button', { name: 'Pause' }).click()
    await expect(page.getByRole('button', { name: 'Resume' })).toBeVisible()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: 'Cancel the backfill' }).click()
    await expect
      .poll(async () => (await explorer.api<{ status: string }>(`/backfills/${id}`)).status, { timeout: 20_000 })
      .toBe('canceled')
    await expect(page.getByRole('button', { name: 'Retry failed partitions' })).toBeVisible()
  } finally {
    await explorer.control('faults?latency=0s')
  }
})

test('partitions are chosen on the map, by mouse and by keyboard, and materialized', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/assets/bills_introduced_by_day?tab=partitions`)
  const map = page.getByRole('group', { name: 'Partitions of day' })
  const last = map.getByRole('button').last()
  await last.click()
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('Space')
  await expect(page.getByText('2 selected')).toBeVisible()
  await last.click({ modifiers: ['Shift'] }) // selects the range
  await page.getByRole('button', { name: 'Materialize 3 partitions' }).click()
  await expect(page).toHaveURL(/\/backfills\/[0-9a-f-]{36}$/)
  await expect(page.getByText('3 of 3 done')).toBeVisible()
  await page.goto(`${explorer.url}/ui/assets/bills_introduced_by_day?tab=partitions`)
  await expect(map.getByRole('button').last()).toHaveAttribute('data-status', 'materialized')
})

test('on the map of partitions, a key is for the partition that the key before it went to', async ({
  page,
  explorer,
}) => {
  await page.goto(`${explorer.url}/ui/assets/bills_introduced_by_day?tab=partitions`)
  const map = page.getByRole('group', { name: 'Partitions of day' })
  // Several keys before the browser draws: arrows, Home and End, and what Space does.
  const press = (...keys: string[]) =>
    map
      .getByRole('button')
      .last()
      .evaluate((cell: HTMLElement, keys) => {
        cell.focus()
        for (const key of keys)
          document.activeElement!.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))
        ;(document.activeElement as HTMLElement).click()
      }, keys)
  const last = Number(await map.getByRole('button').last().getAttribute('data-index'))
  await press('ArrowLeft')
  await expect(map.locator(`[data-index="${last - 1}"]`)).toHaveAttribute('aria-pressed', 'true')
  await expect(page.getByText('1 selected')).toBeVisible()
  await press('Home', 'End')
  await expect(map.locator(`[data-index="${last}"]`)).toHaveAttribute('aria-pressed', 'true')
  await expect(page.getByText('2 selected')).toBeVisible()
  await press('Home') // its row is not there yet
  await expect(map.locator('[data-index="0"]')).toHaveAttribute('aria-pressed', 'true')
  await expect(map.locator('[data-index="0"]')).toBeFocused()
  await expect(page.getByText('3 selected')).toBeVisible()
})

test('checks and freshness show on the asset; a selection narrows the graph', async ({ page, explorer }) => {
  await explorer.materialize('fetch_latest_bills', { limit: 5 })
  await page.goto(`${explorer.url}/ui/assets/fetch_latest_bills`)
  const checks = page.getByRole('region', { name: 'Checks' })
  await expect(
    checks.getByRole('listitem').filter({ hasText: 'every_bill_has_a_title' }).getByText('Passed'),
  ).toBeVisible()
  await expect(page.getByText('Fresh', { exact: true })).toBeVisible()
  await page.getByRole('tab', { name: 'Checks' }).click()
  await expect(page.getByRole('row', { name: /error_rate_below_10_percent/ }).first()).toBeVisible()

  const assets = await explorer.api<{ items: unknown[] }>('/assets')
  await page.goto(`${explorer.url}/ui/assets?view=graph`)
  await expect(page.locator('.node')).toHaveCount(assets.items.length)
  await page.getByLabel('Selection').fill('+bill_statistics')
  await expect(page.locator('.node')).toHaveCount(3)
  await expect(page).toHaveURL(/selection=/)
  await page.getByLabel('Selection').fill('+nope')
  await expect(page.getByText('there is no asset "nope"').first()).toBeVisible()
})

test('an alert shows as it comes, and as it recovers', async ({ page, explorer }) => {
  await explorer.api('/sensors/run_failure_sensor/start', {})
  await explorer.api('/sensors/fetch_failure_sensor/start', {})
  await page.goto(`${explorer.url}/ui/alerts`)
  // This Parliament does not exist.
  await explorer.materialize('fetch_parliament_session_bills', { parliament: 99, session: 1 })
  const row = page.getByRole('row', { name: /fetch:fetch_parliament_session_bills/ })
  await expect(row.getByText('fetch_parliament_session_bills failed', { exact: true })).toBeVisible()
  await expect(row.getByText('Open')).toBeVisible()
  await explorer.materialize('fetch_parliament_session_bills', { parliament: 44, session: 1, limit: 3 })
  await expect(row.getByText('Open')).toHaveCount(0)
  await expect(page.getByText('No channel is configured')).toBeVisible()
})
