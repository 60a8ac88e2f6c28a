import { expect, test } from './explorer'

test('Back undoes a filter of a list, and typing is one step', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/politicians`)
  await page.getByRole('link', { name: 'Bills', exact: true }).click()
  await expect(page).toHaveURL(/\/ui\/bills$/)
  const search = page.getByRole('searchbox', { name: 'Search' })
  const steps = await page.evaluate(() => history.length)
  for (const text of ['c', 'c-1', 'c-11']) {
    await search.fill(text)
    await expect(page).toHaveURL(new RegExp(`q=${text}$`)) // each was committed
  }
  expect(await page.evaluate(() => history.length)).toBe(steps + 1)
  await page.getByLabel('Chamber').selectOption('house')
  await expect(page).toHaveURL(/q=c-11&chamber=house$/)
  await page.goBack()
  await expect(page).toHaveURL(/q=c-11$/)
  await expect(page.getByLabel('Chamber')).toHaveValue('')
  await page.goBack()
  await expect(page).toHaveURL(/\/ui\/bills$/)
  await expect(search).toHaveValue('')
  await page.goForward()
  await expect(search).toHaveValue('c-11')
})

test('Back undoes a filter of the fetch logs', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/fetch-logs`)
  const status = page.getByLabel('Status')
  await status.selectOption('failure')
  await expect(page).toHaveURL(/status=failure/)
  await status.selectOption('success')
  await expect(page).toHaveURL(/status=success/)
  await page.goBack()
  await expect(status).toHaveValue('failure')
  await page.goBack()
  await expect(status).toHaveValue('')
})
