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
