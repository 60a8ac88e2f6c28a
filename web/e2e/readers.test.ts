import type { Page } from '@playwright/test'

import { expect, test } from './explorer'

interface Bill {
  id: string
  number: string
  law: boolean
  related_bills: string[]
  votes: unknown[]
}

/** A law of a whole session, with votes. */
async function aLaw(explorer: { api: <T>(path: string) => Promise<T> }): Promise<Bill> {
  const { items } = await explorer.api<{ items: Bill[] }>('/bills?law=true&session=44-1&limit=50')
  for (const { id } of items) {
    const bill = await explorer.api<Bill>(`/bills/${id}`)
    if (bill.votes.length > 0) return bill
  }
  throw new Error('no law with a vote')
}

/** The words of operators, in either language. */
const operatorWords = /\bworkers?\b|\bmateriali[sz]|\bqueued?\b|\bexécution\b|\bactifs?\b/i

async function mainText(page: Page): Promise<string> {
  return page.locator('main').innerText()
}

test.beforeEach(async ({ explorer }) => {
  const { items } = await explorer.api<{ items: unknown[] }>('/bills?session=44-1&limit=1')
  if (items.length === 0) await explorer.materialize('fetch_parliament_session_bills', { parliament: 44, session: 1 })
})

test('a bill says in plain words what happened, in one language', async ({ page, explorer }) => {
  const law = await aLaw(explorer)
  await page.goto(`${explorer.url}/ui/bills/${law.id}`)
  await expect(page.getByRole('heading', { name: /^This bill is law/ })).toBeVisible()
  await expect(page.getByText('What happened last')).toBeVisible()
  const progress = page.getByRole('region', { name: 'Progress' })
  await expect(progress.getByText('First reading: done').first()).toBeAttached()
  await expect(page.getByText(/^On \d+ \w+ \d{4} it received royal assent and became/).first()).toBeVisible()
  await expect(page.getByText(/^On \d+ \w+ \d{4} it (was introduced|was read)/).first()).toBeVisible()
  await expect(page.getByText(/\d+ \w+ \d{4}, division \d+: \d+ yeas, \d+ nays/).first()).toBeVisible()
  expect(await mainText(page)).not.toMatch(operatorWords)
  expect(await mainText(page), 'a date is a date').not.toMatch(/\d{4}-\d\d-\d\d/)
  await page.getByRole('main').getByRole('button', { name: 'Lire en français' }).click()
  await expect(page.getByRole('heading', { name: /^Ce projet de loi est devenu loi/ })).toBeVisible()
  await expect(page.getByText(/^Le \d+(er)? [a-zéû]+ \d{4}, il a reçu la sanction royale/).first()).toBeVisible()
  expect(await mainText(page)).not.toMatch(operatorWords)
  await page.getByRole('link', { name: 'Ce que cela veut dire' }).click()
  await expect(page).toHaveURL(/\/glossary(\?lang=fr)?#royal-assent$/)
  await expect(page.getByText('L’approbation d’un projet de loi par le souverain')).toBeInViewport()
})

test('a bill is cited with the day, followed by feed, and has a frame', async ({ page, explorer }) => {
  const law = await aLaw(explorer)
  await page.goto(`${explorer.url}/ui/bills/${law.id}`)
  await expect(page.getByText(/Parliament Explorer, http.*\(seen on \d+ \w+ \d{4}\)\.$/)).toBeVisible()
  await expect(page.locator('head link[rel=alternate][type="application/rss+xml"]')).toHaveCount(1)
  await page.getByText('Embed', { exact: true }).click()
  await expect(page.getByText(/<iframe src="http/)).toContainText(`/ui/embed/bills/${law.id}`)
  await page.getByRole('link', { name: 'Follow this bill' }).click()
  await expect(page.getByRole('heading', { name: 'Follow by feed' })).toBeVisible()
  await expect(page.getByLabel('Address of the feed', { exact: true })).toHaveValue(
    new RegExp(`/feeds/bill-${law.id.replace('/', '-')}\\.rss\\?lang=en$`),
  )
  await page.goto(`${explorer.url}/ui/embed/bills/${law.id}`)
  await expect(page.getByText(/^This bill is law/)).toBeVisible()
  await expect(page.getByRole('navigation')).toHaveCount(0)
})

test('a related bill that is not held leads to LEGISinfo', async ({ page, explorer }) => {
  const law = await aLaw(explorer)
  await page.route(`**/bills/${law.id}`, async (route) => {
    if (route.request().resourceType() === 'document') return route.fallback()
    const answer = await route.fetch()
    await route.fulfill({ response: answer, json: { ...(await answer.json()), related_bills: ['41-1/C-10'] } })
  })
  await page.goto(`${explorer.url}/ui/bills/${law.id}`)
  await expect(page.getByRole('link', { name: '41-1/C-10 (at LEGISinfo)' })).toHaveAttribute(
    'href',
    'https://www.parl.ca/legisinfo/en/bill/41-1/c-10',
  )
  await page.unrouteAll({ behavior: 'ignoreErrors' }) // a refetch may be on its way
})

test('the home of bills: what changed, was introduced and became law', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/`)
  await page.getByRole('group', { name: 'Bills' }).getByRole('link', { name: 'Home' }).click()
  await expect(page.getByRole('heading', { name: 'Federal bills' })).toBeVisible()
  await expect(page.getByRole('heading', { name: /^(This week|Most recently)$/ })).toBeVisible()
  await expect(page.getByText(/^Introduced on \d+ \w+ \d{4}/).first()).toBeVisible()
  await expect(page.getByText(/^It became law on \d+ \w+ \d{4}\.$/).first()).toBeVisible()
  expect(await mainText(page)).not.toMatch(operatorWords)
  await page.getByRole('searchbox', { name: 'Search the bills' }).fill('act')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/search\?q=act/)
})

test('the list of bills: titles are links, filters have their address, and a drawer on a phone', async ({
  page,
  explorer,
}) => {
  await page.goto(`${explorer.url}/ui/bills`)
  await expect(page.getByText(/^[\d,]+ bills$/)).toBeVisible()
  await page.getByLabel('Chamber').selectOption('senate')
  await expect(page).toHaveURL(/chamber=senate/)
  await expect(
    page
      .getByRole('rowgroup')
      .last()
      .getByRole('link', { name: /^S-\d+ ./ })
      .first(),
  ).toBeVisible()
  await page.getByLabel('Sort').selectOption('latest_activity')
  await expect(page).toHaveURL(/sort=latest_activity/)
  await page.setViewportSize({ width: 390, height: 844 })
  await expect(page.getByLabel('Chamber')).toBeHidden()
  await page.getByRole('button', { name: 'Filters (1)' }).click()
  await page.getByRole('dialog').getByLabel('Chamber').selectOption('house')
  await page.getByRole('button', { name: 'Show the bills' }).click()
  await expect(page).toHaveURL(/chamber=house/)
  await expect(page.getByRole('link', { name: /^C-\d+ ./ }).first()).toBeInViewport()
})

test('a search on a phone shows its results first', async ({ page, explorer }) => {
  await page.setViewportSize({ width: 390, height: 844 })
  await page.goto(`${explorer.url}/ui/search?q=act`)
  await expect(page.locator('mark').first()).toBeInViewport()
  await page.getByRole('button', { name: 'Filters' }).click()
  await page
    .getByRole('dialog')
    .getByRole('group', { name: 'Chamber of origin' })
    .getByRole('button', { name: /Senate/ })
    .click()
  await expect(page).toHaveURL(/chamber=senate/)
})

test('a bill prints on two pages, in the dark theme too', async ({ browser, explorer }) => {
  const law = await aLaw(explorer)
  for (const colorScheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ colorScheme })
    const page = await context.newPage()
    await page.goto(`${explorer.url}/ui/bills/${law.id}`)
    await expect(page.getByRole('heading', { name: 'History' })).toBeVisible()
    const pdf = (await page.pdf({ format: 'Letter', preferCSSPageSize: true })).toString('latin1')
    expect((pdf.match(/\/Type\s*\/Page\b(?!s)/g) ?? []).length, colorScheme).toBeLessThanOrEqual(2)
    await page.emulateMedia({ media: 'print', colorScheme })
    const { ink, paper } = await page.locator('.bill-status').evaluate((card) => {
      const style = getComputedStyle(card)
      return { ink: style.color, paper: style.backgroundColor }
    })
    expect({ ink, paper }).toEqual({ ink: 'rgb(0, 0, 0)', paper: 'rgb(255, 255, 255)' })
    await expect(page.getByRole('navigation')).toHaveCount(0)
    await context.close()
  }
})
