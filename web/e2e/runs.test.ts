import { expect, test } from './explorer'

test('runs are filtered by several statuses, and counted', async ({ page, explorer }) => {
  const good = await explorer.materialize('fetch_latest_bills', { limit: 2 })
  await explorer.control('clock?as_of=2024-06-01') // before the 45th Parliament
  const bad = await explorer.materialize('fetch_parliament_session_bills', { parliament: 45, session: 1 })
  await explorer.control('clock?as_of=2026-06-18')
  const row = (id: string) => page.getByRole('row', { name: new RegExp(id.slice(-8)) })
  /** What the page says of the number of runs. Other tests have started some too. */
  const shown = async (query: string) => {
    const { total } = await explorer.api<{ total: number }>(`/runs?limit=1&count=true${query}`)
    await expect(page.getByText(`1–${Math.min(total, 50)} of ${total}`, { exact: true })).toBeVisible()
  }
  await page.goto(`${explorer.url}/ui/runs`)
  await shown('')

  const status = page.getByRole('button', { name: /^Status: / })
  await status.click()
  await page.getByRole('menuitemcheckbox', { name: 'Failed' }).click()
  await shown('&status=failure')
  await page.getByRole('menuitemcheckbox', { name: 'Canceled' }).click()
  await expect(page).toHaveURL(/status=failure(,|%2C)canceled$/)
  await expect(row(bad)).toBeVisible()
  await expect(row(good)).toHaveCount(0)
  await page.getByRole('menuitemcheckbox', { name: 'Leave these out' }).click()
  await expect(row(good)).toBeVisible()
  await expect(row(bad)).toHaveCount(0)
  await page.keyboard.press('Escape')
  await expect(status).toHaveText(/^All but /)

  await page.goBack() // one filter at a time
  await expect(row(bad)).toBeVisible()
  await page.goBack()
  await expect(page).toHaveURL(/status=failure$/)
  await page.goBack()
  await expect(page).toHaveURL(/\/ui\/runs$/)
  await shown('')
})

test('new runs do not move the rows that somebody reads', async ({ page, explorer }) => {
  // A full page, whose last row the first new run pushes over the end.
  await Promise.all(Array.from({ length: 52 }, () => explorer.materialize('monitor_fetch_operations')))
  const { items } = await explorer.api<{ items: { id: string }[] }>('/runs?limit=50')
  await page.goto(`${explorer.url}/ui/runs`)
  await expect(page.locator('.side [data-connection]')).toHaveAttribute('data-connection', 'open')
  const row = (id: string) => page.getByRole('row', { name: new RegExp(id.slice(-8)) })
  const old = row(items.at(-1)!.id)
  await old.scrollIntoViewIfNeeded()
  await page.evaluate(() => scrollTo({ top: document.documentElement.scrollHeight }))
  const place = (await old.boundingBox())!.y
  const added = await explorer.materialize('monitor_fetch_operations')
  const fresh = page.getByRole('button', { name: '1 new run' })
  await expect(fresh).toBeInViewport()
  expect((await old.boundingBox())!.y).toBe(place)
  await expect(row(added)).toHaveCount(0)
  await explorer.materialize('monitor_fetch_operations')
  await page.getByRole('button', { name: '2 new runs' }).click()
  await expect(row(added)).toBeInViewport()
  await expect(page.getByRole('button', { name: /new run/ })).toHaveCount(0)

  // A selection holds the rows too, at the top of the page.
  await row(added).getByRole('checkbox').check()
  const third = await explorer.materialize('monitor_fetch_operations')
  await expect(fresh).toBeVisible()
  await expect(row(third)).toHaveCount(0)
  await row(added).getByRole('checkbox').uncheck()
  await expect(row(third)).toBeVisible()
})

test('a view of the runs is saved, opened and removed', async ({ page, explorer }) => {
  await explorer.materialize('monitor_fetch_operations')
  await page.goto(`${explorer.url}/ui/runs?asset=monitor_fetch_operations&status=-failure`)
  const views = page.getByRole('button', { name: 'Views' })
  await views.press('Enter')
  await page.keyboard.press('ArrowDown')
  await expect(page.getByRole('link', { name: 'Failed in the last 24 hours' })).toBeFocused()
  await page.keyboard.press('ArrowDown')
  await expect(page.getByRole('link', { name: 'In progress' })).toBeFocused()
  await page.getByLabel('Name of the view').fill('Monitor, fine')
  await page.keyboard.press('Enter')
  await page.getByRole('link', { name: 'Failed in the last 24 hours' }).click()
  await expect(page).toHaveURL(/\?status=failure&period=24h$/)
  await page.reload()
  await views.click()
  await page.getByRole('link', { name: 'Monitor, fine' }).click()
  await expect(page).toHaveURL(/status=-failure/)
  await expect(page).toHaveURL(/asset=monitor_fetch_operations/)
  await views.click()
  await page.getByRole('button', { name: 'Remove “Monitor, fine”' }).click()
  await expect(page.getByRole('link', { name: 'Monitor, fine' })).toHaveCount(0)
})

test("an asset's and a job's runs are filtered by tag and status", async ({ page, explorer }) => {
  const body = (why: string) => ({ tags: { why } })
  const one = await explorer.api<{ id: string }>('/jobs/monitor_job/runs', body('one'))
  const two = await explorer.api<{ id: string }>('/jobs/monitor_job/runs', body('two'))
  const row = ({ id }: { id: string }) => page.getByRole('row', { name: new RegExp(id.slice(-8)) })
  for (const path of ['jobs/monitor_job', 'assets/monitor_fetch_operations?tab=runs']) {
    await page.goto(`${explorer.url}/ui/${path}`)
    await expect(row(one)).toBeVisible()
    await page.getByRole('textbox', { name: 'Tag', exact: true }).fill('why:two')
    await expect(row(one)).toHaveCount(0)
    await expect(row(two)).toBeVisible()
    await page.getByRole('button', { name: /^Status: / }).click()
    await page.getByRole('menuitemcheckbox', { name: 'Failed' }).click()
    await expect(row(two)).toHaveCount(0)
  }
  // A tag leads to the runs that have it.
  await page.goto(`${explorer.url}/ui/jobs/monitor_job`)
  await row(two).getByRole('link', { name: 'why:two' }).click()
  await expect(page).toHaveURL(/\/ui\/runs\?tag=why/)
  await expect(row(two)).toBeVisible()
  await expect(row(one)).toHaveCount(0)
})
