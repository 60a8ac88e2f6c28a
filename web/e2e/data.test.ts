import { expect, test } from './explorer'

test('a bill is found, narrowed down, and leads to its votes, its sponsor and its feed', async ({ page, explorer }) => {
  await explorer.materialize('fetch_parliament_session_bills', { parliament: 44, session: 1 })
  await explorer.materialize('fetch_politicians', { current_only: false })
  await explorer.materialize('generate_rss_feeds', {})
  await page.goto(`${explorer.url}/ui/`)
  await page.getByRole('link', { name: 'Search', exact: true }).click()
  await page.getByLabel('Search terms').fill('act')
  await expect(page).toHaveURL(/q=act/)
  await expect(page.getByRole('heading', { name: /^\d+ bills$/ })).toBeVisible()
  const before = await page.getByRole('heading', { name: /^\d+ bills$/ }).textContent()
  await page
    .getByRole('group', { name: 'Chamber of origin' })
    .getByRole('button', { name: /Senate/ })
    .click()
  await expect(page).toHaveURL(/chamber=senate/)
  await expect(page.getByRole('heading', { name: /^\d+ bills?$/ })).not.toHaveText(before!)
  await expect(page.locator('mark').first()).toBeVisible()
  await page.getByLabel('Search terms').fill('c2')
  await page.getByRole('button', { name: 'Reset the filters' }).click()
  await expect(page.getByText('by number').first()).toBeVisible()

  const { items } = await explorer.api<{
    items: { id: string; law: boolean; sponsor: { politician: string | null } | null }[]
  }>('/bills?law=true&session=44-1&limit=50')
  const law = items.find((b) => b.sponsor?.politician)!
  await page.goto(`${explorer.url}/ui/bills/${law.id}`)
  await expect(page.getByText(/\d+ yeas, \d+ nays/).first()).toBeVisible()
  await expect(page.getByRole('link', { name: 'First Reading', exact: true })).toBeVisible()
  const feed = await page.locator('head link[type="application/rss+xml"]').getAttribute('href')
  expect(await (await page.request.get(feed!)).text()).toContain('<rss version="2.0"')
  await page.locator('.facts').getByRole('link').first().click()
  await expect(page).toHaveURL(new RegExp(`/politicians/${law.sponsor!.politician}$`))
  await expect(page.getByRole('heading', { name: /sponsored bill/ })).toBeVisible()
})

test('feeds, downloads and the report on quality', async ({ page, explorer }) => {
  await explorer.materialize('fetch_latest_bills', { limit: 20 })
  await explorer.materialize('generate_rss_feeds', {})
  await explorer.materialize('data_quality', {})
  await page.goto(`${explorer.url}/ui/data`)
  await expect(page.getByText(/\d+ bills, as one file/)).toBeVisible()
  const download = page.waitForEvent('download')
  await page.getByRole('link', { name: 'CSV' }).click()
  expect((await download).suggestedFilename()).toBe('bills.csv')
  await expect(page.getByRole('link', { name: 'ATOM of All bills' })).toBeVisible()
  await expect(page.getByRole('columnheader', { name: 'short_title' })).toBeVisible()
  await page.getByRole('button', { name: 'Passer au français' }).click()
  await expect(page.getByRole('heading', { name: 'Qualité des données' })).toBeVisible()
})
