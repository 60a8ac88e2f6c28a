import AxeBuilder from '@axe-core/playwright'

import { expect, test } from './explorer'

test('Ctrl+K finds assets, jobs, runs, bills, people and pages', async ({ page, explorer }) => {
  const run = await explorer.materialize('fetch_latest_bills', { limit: 20 })
  await explorer.materialize('fetch_politicians')
  await page.goto(`${explorer.url}/ui/system`)
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()

  const heading = page.getByRole('heading', { level: 1 })
  const open = async (text: string) => {
    await expect(heading).toBeVisible() // before, nothing listens to the keys
    await page.keyboard.press('Control+k')
    const input = page.getByRole('combobox', { name: 'Search everything' })
    await expect(input).toBeFocused()
    await input.fill(text)
  }

  // The keyboard alone: the arrow keys choose, Enter opens, and the page gets the focus.
  await open('statistics')
  await expect(page.getByRole('option', { name: 'bill_statistics' })).toBeVisible()
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.map((v) => v.id)).toEqual([])
  await page.keyboard.press('Enter')
  await expect(heading).toHaveText('bill_statistics')
  await expect(page.getByRole('dialog')).toHaveCount(0)
  await expect(page.getByRole('main')).toBeFocused()

  await open('monitor job') // words instead of underscores
  await page.getByRole('option', { name: 'monitor_job' }).click()
  await expect(heading).toHaveText('monitor_job')

  for (const id of [run, run.slice(-8)]) {
    await open(id)
    await page.getByRole('option', { name: run.slice(-8) }).click()
    await expect(page).toHaveURL(new RegExp(`/ui/runs/${run}$`))
    await page.goto(`${explorer.url}/ui/system`)
  }

  const bill = (await explorer.api<{ items: { id: string; number: string }[] }>('/bills?limit=1')).items[0]!
  await open(bill.number.replace('-', ' ').toLowerCase())
  await page
    .getByRole('option', { name: `${bill.number} ·` })
    .first()
    .click()
  await expect(page).toHaveURL(new RegExp(`/ui/bills/${bill.id}$`))

  const person = (await explorer.api<{ items: { name: string; slug: string }[] }>('/politicians?limit=1')).items[0]!
  await open(person.name)
  await page.getByRole('option', { name: person.name }).click()
  await expect(page).toHaveURL(new RegExp(`/ui/politicians/${person.slug}$`))

  await open('fetch logs')
  await page.getByRole('option', { name: 'Fetch logs', exact: true }).click()
  await expect(heading).toHaveText('Fetch logs')

  await open('nothing has this name')
  await expect(page.getByText('Nothing is found for “nothing has this name”.')).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toHaveCount(0)
})

test('on a phone, a button opens the search', async ({ page, explorer }) => {
  await page.setViewportSize({ width: 390, height: 800 })
  await page.goto(`${explorer.url}/ui/home?lang=fr`)
  await page.getByRole('button', { name: 'Tout rechercher' }).click()
  await page.getByRole('combobox', { name: 'Tout rechercher' }).fill('glossaire inconnu')
  await expect(page.getByText('Aucun résultat pour')).toBeVisible()
  await page.getByRole('button', { name: 'Fermer' }).click()
  await expect(page.getByRole('dialog')).toHaveCount(0)
  await expect(page.getByRole('button', { name: 'Tout rechercher' })).toBeFocused()
})
