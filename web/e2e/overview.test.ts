import type { Page } from '@playwright/test'

import { expect, type Explorer, test } from './explorer'

const problemsOf = (page: Page) => page.getByRole('region', { name: 'Problems' })
const timelineOf = (page: Page) => page.getByRole('region', { name: 'Timeline' })

/** Serves an empty database while `use` runs. */
async function withNoData(explorer: Explorer, use: (data: string) => Promise<void>): Promise<void> {
  const data = explorer.data + '-empty'
  await explorer.stop()
  await explorer.start({ DATA_DIR: data, AUTH: 'on' })
  try {
    await use(data)
  } finally {
    await explorer.stop()
    await explorer.start()
  }
}

async function signIn(page: Page, explorer: Explorer, key: string): Promise<void> {
  await page.goto(`${explorer.url}/ui/overview`)
  await page.getByLabel('API key', { exact: true }).fill(key)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('heading', { name: 'Overview', level: 1 })).toBeVisible()
}

test('a server without bills says how to begin', async ({ page, explorer }) => {
  test.setTimeout(180_000)
  await withNoData(explorer, async (data) => {
    const key = (scope: string) =>
      explorer.cli('keys', 'create', scope, '--scope', scope, '--data-dir', data).trim().split('\n').at(-1)!
    const welcome = page.getByRole('region', { name: 'Welcome to Parliament Explorer' })
    const fetch = welcome.getByRole('button', { name: 'Fetch the latest bills' })

    await signIn(page, explorer, key('read'))
    await expect(fetch).toBeDisabled()
    await expect(fetch).toHaveAccessibleDescription('This needs the scope “operate”. You have “read”.')
    await fetch.click({ force: true })
    await page.getByRole('button', { name: 'Sign out' }).first().click()
    await expect(page.getByRole('heading', { name: 'Sign in', level: 1 })).toBeVisible()

    await signIn(page, explorer, key('operate'))
    await fetch.click()
    await expect(page).toHaveURL(/\/ui\/runs\/[0-9a-f-]{36}$/)
    await expect(page.locator('h1 + [data-status]')).toHaveAttribute('data-status', 'success')
    await page.getByRole('link', { name: 'Overview' }).first().click()
    await expect(timelineOf(page).locator('[data-run]')).toHaveCount(1) // the disabled button started nothing
    await expect(welcome).toHaveCount(0)
    await expect(problemsOf(page)).toContainText('None:')
  })
})

test('problems come first, and each leads to its cause', async ({ page, explorer }) => {
  await explorer.materialize('fetch_latest_bills', { limit: 5 })
  const run = await explorer.materialize('fetch_parliament_session_bills', { parliament: 99, session: 1 })
  await page.goto(`${explorer.url}/ui/`)
  const problems = problemsOf(page)
  await expect(problems.getByText('neither source has a bill of session 99-1').first()).toBeVisible()
  await expect(page.locator('main section').first()).toHaveAccessibleName('Problems')
  await problems
    .getByRole('link', { name: run.slice(-8) })
    .first()
    .click()
  await expect(page).toHaveURL(new RegExp(`/runs/${run}`))
  await page.goBack()
  await problems.getByRole('button', { name: `Retry from failure: ${run}` }).click()
  await expect(page).toHaveURL(/\/ui\/runs\/[0-9a-f-]{36}$/)
  await expect(page).not.toHaveURL(new RegExp(run))
  await expect(page.locator('h1 + [data-status]')).toHaveAttribute('data-status', 'failure')
})

test('the period of the timeline is in the address', async ({ page, explorer }) => {
  const run = await explorer.materialize('fetch_latest_bills', { limit: 5 })
  await page.goto(`${explorer.url}/ui/`)
  const timeline = timelineOf(page)
  const period = timeline.getByRole('group', { name: 'Period' })
  const pressed = (name: string) =>
    expect(period.getByRole('button', { name, exact: true })).toHaveAttribute('aria-pressed', 'true')
  await expect(timeline.getByRole('group', { name: /^Runs by job, 1 day: \d+ in all/ })).toBeVisible()
  await period.getByRole('button', { name: '7 days' }).click()
  await expect(page).toHaveURL(/period=7d/)
  await pressed('7 days')
  await expect(timeline.getByRole('group', { name: /^Runs by job, 7 days: \d+ in all/ })).toBeVisible()
  await period.getByRole('button', { name: '1 hour' }).click()
  await pressed('1 hour')
  await page.goBack()
  await pressed('7 days')
  await page.reload()
  await pressed('7 days')
  await page.goBack()
  await pressed('1 day')
  await timeline.locator(`[data-run="${run}"] rect`).click()
  await expect(page).toHaveURL(new RegExp(`/runs/${run}$`))
})

test('the timeline shows ticks, and hides those that started nothing', async ({ page, explorer }) => {
  await explorer.api('/schedules/monitor_daily/run', {})
  // Other tests may have run it too.
  const { items } = await explorer.api<{ items: { status: string }[] }>('/schedules/monitor_daily/ticks?limit=200')
  const ran = items.filter((tick) => tick.status === 'success').length
  expect(ran).toBeGreaterThan(0)
  // Without a job that takes minutes, no tick is skipped: the second one is changed on its way to the page.
  await page.route('**/schedules/monitor_daily/ticks*', async (route) => {
    const response = await route.fetch()
    const list = (await response.json()) as { items: object[] }
    list.items.push({ ...list.items[0], id: 'skipped', status: 'skipped', run_id: null })
    await route.fulfill({ response, json: list })
  })
  await page.goto(`${explorer.url}/ui/`)
  const timeline = timelineOf(page)
  const skipped = timeline.locator('[data-tick=skipped]')
  await expect(timeline.locator('[data-tick=success]')).toHaveCount(ran)
  await expect(skipped).toHaveCount(1)
  await timeline.getByRole('switch', { name: 'Hide skipped ticks' }).check()
  await expect(skipped).toHaveCount(0)
  await expect(timeline.locator('[data-tick=success]')).toHaveCount(ran)
  await expect(page).toHaveURL(/skipped=hidden/)
  await page.goBack()
  await expect(skipped).toHaveCount(1)
})
