import { readFileSync } from 'node:fs'

import { expect, test } from './explorer'

test('materialize with config, and watch it to its success', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/`)
  await page.getByRole('link', { name: 'Assets', exact: true }).click()
  await page.getByRole('link', { name: 'Materialize: fetch_latest_bills' }).click()
  const limit = page.getByLabel('limit', { exact: true })
  await expect(limit).toHaveValue('50') // the default
  await limit.fill('12')
  await page.getByRole('button', { name: 'Materialize', exact: true }).click()
  await expect(page).toHaveURL(/\/ui\/runs\/[0-9a-f-]{36}$/)
  await expect(page.locator('h1 + [data-status]')).toHaveAttribute('data-status', 'success')
  await expect(page.getByRole('button', { name: 'run succeeded' })).toBeVisible()
  await page.getByRole('tab', { name: 'Materializations' }).click()
  await expect(page.getByText('bills_fetched')).toBeVisible()
  await expect(page.locator('dd', { hasText: /^12$/ }).first()).toBeVisible()
  await page.getByRole('tab', { name: 'Config' }).click()
  await expect(page.getByText('"limit": 12')).toBeVisible()
})

test('the log: filters, expands, links to a line, downloads', async ({ page, explorer }) => {
  const run = await explorer.materialize('fetch_latest_bills', { limit: 7 })
  await page.goto(`${explorer.url}/ui/runs/${run}`)
  const log = page.locator('.log')
  await expect(log).toHaveAttribute('data-complete', 'true')
  const lines = Number(await log.getAttribute('data-lines'))
  expect(lines).toBeGreaterThan(5)
  await page.getByLabel('Text', { exact: true }).fill('bills')
  await expect(log).not.toHaveAttribute('data-lines', String(lines))
  await expect(page).toHaveURL(/q=bills/)
  await page.getByLabel('Text', { exact: true }).fill('no line has this')
  await expect(page.getByText('No line matches the filters.')).toBeVisible()
  await page.getByLabel('Text', { exact: true }).fill('')
  await expect(log).toHaveAttribute('data-lines', String(lines))

  await page.getByRole('button', { name: 'run enqueued' }).click()
  await expect(page.getByText('"trigger": "api"')).toBeVisible()

  const last = page.locator('.log-row').last()
  const id = await last.getAttribute('data-event')
  await page.goto(`${explorer.url}/ui/runs/${run}?event=${id}`)
  await expect(page.locator(`.log-row.target[data-event="${id}"]`)).toBeVisible()

  await page.getByRole('button', { name: 'Download' }).click()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('menuitem', { name: 'Text' }).click(),
  ])
  expect(
    readFileSync(await download.path(), 'utf8')
      .trim()
      .split('\n'),
  ).toHaveLength(lines)
})

test('a run that fails says why, and is retried from its failure', async ({ page, explorer }) => {
  await explorer.control('clock?as_of=2024-06-01') // before the 45th Parliament
  const run = await explorer.materialize('fetch_parliament_session_bills', { parliament: 45, session: 1 })
  await page.goto(`${explorer.url}/ui/`)
  // With the sensor of another test, there is an alert about it too.
  const failure = page.getByRole('region', { name: 'Problems' }).getByRole('listitem').filter({ hasText: 'Failed' })
  const own = failure.filter({ has: page.getByRole('link', { name: run.slice(-8) }) })
  await expect(own.getByText('neither source has a bill of session 45-1').first()).toBeVisible()
  await own
    .getByRole('link', { name: run.slice(-8) })
    .first()
    .click()
  await expect(page.locator('h1 + [data-status]')).toHaveAttribute('data-status', 'failure')
  await expect(page.getByRole('group', { name: 'Error' })).toContainText('neither source has a bill of session 45-1')
  await page.getByLabel('Level').selectOption('error')
  await expect(page.locator('.log-row.error').first()).toBeVisible()

  await explorer.control('clock?as_of=2026-06-18')
  await page.getByRole('button', { name: 'Retry from failure' }).click()
  await expect(page).not.toHaveURL(new RegExp(run))
  await expect(page.locator('h1 + [data-status]')).toHaveAttribute('data-status', 'success')
  await page.getByRole('link', { name: run.slice(-8) }).click() // the retried run
  await expect(page).toHaveURL(new RegExp(run))
  await page.goBack()
  await expect(page.locator('h1 + [data-status]')).toHaveAttribute('data-status', 'success')
})

test('cancel', async ({ page, explorer }) => {
  await explorer.control('faults?latency=20s')
  try {
    const run = await explorer.api<{ id: string }>('/assets/fetch_latest_bills/materialize', { config: { limit: 20 } })
    await page.goto(`${explorer.url}/ui/runs/${run.id}`)
    await expect(page.locator('h1 + [data-status]')).toHaveAttribute('data-status', 'started')
    await page.getByRole('button', { name: 'Cancel', exact: true }).click()
    await page.getByRole('button', { name: 'Keep it running' }).click()
    await page.getByRole('button', { name: 'Cancel', exact: true }).click()
    await page.getByRole('button', { name: 'Cancel the run' }).click()
    await expect(page.locator('h1 + [data-status]')).toHaveAttribute('data-status', 'canceled')
    await expect(page.getByText('api client at 127.0.0.1').first()).toBeVisible()
  } finally {
    await explorer.control('faults?latency=0s')
  }
})

test('several runs are canceled and retried at once', async ({ page, explorer }) => {
  await explorer.control('faults?latency=5s')
  try {
    for (let i = 0; i < 2; i++)
      await explorer.api('/assets/fetch_latest_bills/materialize', { config: { limit: 21 + i }, tags: { bulk: 'yes' } })
    await page.goto(`${explorer.url}/ui/runs`)
    await page.getByLabel('Tag').fill('bulk:yes')
    await expect(page.locator('tbody tr')).toHaveCount(2)
    await page.getByLabel('Select all shown').check()
    const bulk = page.getByRole('region', { name: 'Actions' })
    await bulk.getByRole('button', { name: 'Cancel' }).click()
    await expect(page.locator('tbody [data-status="canceled"]')).toHaveCount(2)
  } finally {
    await explorer.control('faults?latency=0s')
  }
  await page.getByLabel('Select all shown').check()
  await page.getByRole('region', { name: 'Actions' }).getByRole('button', { name: 'Retry', exact: true }).click()
  await expect(page.locator('tbody [data-status="success"]')).toHaveCount(2)
})

test('start and stop a schedule, and run it now', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/automation`)
  const daily = page.getByRole('switch', { name: 'Schedule fetch_bills_daily' })
  await expect(daily).not.toBeChecked()
  await daily.click()
  await expect(daily).toBeChecked()
  await expect
    .poll(async () => (await explorer.api<{ running: boolean }>('/schedules/fetch_bills_daily')).running)
    .toBe(true)
  // Another user stops it, and the page updates.
  await explorer.api('/schedules/fetch_bills_daily/stop', {})
  await expect(daily).not.toBeChecked()
  await page.getByRole('link', { name: 'monitor_daily' }).click()
  await expect(page.getByText('The schedule is stopped')).toBeVisible()
  await page.getByRole('button', { name: 'Run now: monitor_daily' }).click()
  await expect(page.locator('h1 + [data-status]')).toHaveAttribute('data-status', 'success')
  await page.goBack()
  await expect(page.getByText('Manual', { exact: true })).toBeVisible()
})

test("a bill's history", async ({ page, explorer }) => {
  await explorer.control('clock?as_of=2024-06-01')
  await explorer.materialize('fetch_parliament_session_bills', { parliament: 44, session: 1 })
  await explorer.control('clock?as_of=2026-06-18')
  await explorer.materialize('fetch_parliament_session_bills', { parliament: 44, session: 1 })
  const { items } = await explorer.api<{
    items: { number: string; version: number; law: boolean; title: { en: string; fr: string } }[]
  }>('/bills?session=44-1&limit=200')
  const bill = items.find((b) => b.version > 1 && b.law)!
  await page.goto(`${explorer.url}/ui/bills?session=44-1&law=true`)
  await page.getByRole('searchbox', { name: 'Search' }).fill(bill.number.toLowerCase())
  await page.getByRole('link', { name: new RegExp(`^${bill.number} `) }).click()
  await expect(page.getByText(bill.title.en).first()).toBeVisible()
  await page.getByText('Changes of the data, field by field').click()
  const history = page.getByRole('region', { name: 'Changes of the data, field by field' })
  // The changes of the simulation's second day.
  const changes = history.locator(`[data-version="${bill.version}"]`)
  await expect(changes.getByText('law', { exact: true })).toBeVisible()
  await expect(changes.getByText(/^It became law\./)).toBeVisible()
  await expect(changes.locator('ins', { hasText: 'Royal assent received' })).toBeVisible()
  await expect(history.getByText('This bill was added to this copy.')).toBeVisible()
  const progress = page.getByRole('region', { name: 'Progress' })
  await expect(progress.getByText('Royal assent')).toBeVisible()
})

test('a link that is followed while a search is being typed is not called back', async ({ page, explorer }) => {
  await explorer.materialize('fetch_parliament_session_bills', { parliament: 44, session: 1 })
  await page.clock.install()
  let arrive = () => {}
  const asked = new Promise<void>((resolve) => {
    void page.route(/\/static\/bill-[\w-]{8}\.js$/, async (route) => {
      resolve()
      await new Promise<void>((go) => (arrive = go)) // the page is still loading when the draft would be committed
      await route.continue()
    })
  })
  await page.goto(`${explorer.url}/ui/bills?session=44-1`)
  const link = page.locator('tbody a').first()
  const number = (await link.locator('strong').textContent())!
  await page.getByRole('searchbox', { name: 'Search' }).fill(number.toLowerCase())
  await link.click()
  await asked
  await page.clock.runFor(1000)
  arrive()
  await expect(page.getByRole('region', { name: 'History', exact: true })).toBeVisible()
  await expect(page).toHaveURL(new RegExp(`/bills/44-1/${number}$`, 'i'))
})

test('a wrong config is told once beside its field and starts nothing', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/assets/fetch_latest_bills?tab=launch`)
  const start = page.getByRole('button', { name: 'Materialize', exact: true })
  await page.getByLabel('limit', { exact: true }).fill('501')
  await start.click()
  await expect(page.locator('.rjsf').getByText('Enter a number in the range 1–500.')).toHaveCount(1)
  await expect(page.getByRole('alert')).toHaveText('Correct the fields marked above.')
  await expect(page).toHaveURL(/tab=launch/)

  // As YAML, in Dagster's shape.
  await page.getByRole('radio', { name: 'YAML' }).click()
  const yaml = page.getByLabel('YAML', { exact: true })
  await yaml.fill('ops:\n  fetch_latest_bills:\n    config:\n      limit: lots\n')
  await expect(page.getByText('/ops/fetch_latest_bills/config/limit', { exact: true })).toHaveCount(1)
  await start.click()
  await expect(yaml).toBeFocused()
  await expect(page).toHaveURL(/tab=launch/)
  await yaml.fill('ops: [')
  await expect(page.getByText(/This is not valid YAML/)).toBeVisible()
  await expect(start).toBeDisabled()
  await yaml.fill('ops:\n  fetch_latest_bills:\n    config:\n      limit: 9\n')
  await start.click()
  await expect(page.locator('h1 + [data-status]')).toHaveAttribute('data-status', 'success')
})

test('a selection of the graph is materialized', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/assets?view=graph`)
  await page.locator('.graph-node', { hasText: 'fetch_latest_bills' }).click({ position: { x: 20, y: 75 } })
  await page
    .locator('.graph-node', { hasText: 'monitor_fetch_operations' })
    .click({ position: { x: 20, y: 75 }, modifiers: ['Shift'] })
  await page.getByRole('link', { name: 'Configure…' }).click()
  await expect(page.getByLabel('hours_back')).toHaveValue('24')
  await page.getByLabel('hours_back').fill('48')
  await page.goBack()
  await page.locator('.graph-node', { hasText: 'fetch_latest_bills' }).click({ position: { x: 20, y: 75 } })
  await page
    .locator('.graph-node', { hasText: 'monitor_fetch_operations' })
    .click({ position: { x: 20, y: 75 }, modifiers: ['Shift'] })
  await page.getByRole('button', { name: 'Materialize 2 assets' }).click()
  await expect(page.locator('h1 + [data-status]')).toHaveAttribute('data-status', 'success')
  await expect(page.getByRole('region', { name: 'Steps' }).getByRole('link')).toHaveCount(2)
})

test('the page goes on by itself after the server was restarted', async ({ page, explorer }) => {
  const before = await explorer.materialize('fetch_latest_bills', { limit: 2 })
  await page.goto(`${explorer.url}/ui/runs`)
  const live = page.locator('.side [data-connection]')
  await expect(live).toHaveAttribute('data-connection', 'open')
  await explorer.stop()
  await expect(live).toHaveAttribute('data-connection', 'lost')
  await expect(page.getByText('The server is not responding. The data shown may be out of date.')).toBeVisible()
  await expect(page.getByRole('link', { name: before.slice(-8) })).toBeVisible() // loaded data stays on the page
  await explorer.start()
  await expect(live).toHaveAttribute('data-connection', 'open')
  const run = await explorer.materialize('fetch_latest_bills', { limit: 3 })
  await expect(page.getByRole('link', { name: run.slice(-8) })).toBeVisible()
})

test('what happens elsewhere shows at once', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/runs`)
  await expect(page.locator('.side [data-connection]')).toHaveAttribute('data-connection', 'open')
  const run = await explorer.materialize('monitor_fetch_operations')
  await expect(
    page.getByRole('row', { name: new RegExp(run.slice(-8)) }).locator('[data-status="success"]'),
  ).toBeVisible()
})
