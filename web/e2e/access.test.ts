import AxeBuilder from '@axe-core/playwright'

import { expect, test } from './explorer'

test('sign in with a key, do what it allows, make and revoke another, sign out', async ({ page, explorer }) => {
  test.setTimeout(120_000)
  await explorer.stop()
  await explorer.start({ AUTH: 'on' })
  const troubles: string[] = []
  page.on('pageerror', (error) => troubles.push(error.message))
  page.on('console', (m) => /Content Security Policy/.test(m.text()) && troubles.push(m.text()))
  try {
    const admin = explorer.cli('keys', 'create', 'root', '--scope', 'admin').trim()
    const reader = explorer.cli('keys', 'create', 'reader', '--scope', 'read').trim()

    const refused: string[] = []
    page.on('response', (r) => r.status() === 401 && refused.push(r.url()))
    await page.goto(`${explorer.url}/ui/fetch-logs`)
    await expect(page.getByRole('heading', { name: 'Sign in', level: 1 })).toBeVisible()
    await expect(page.getByRole('navigation', { name: 'Main navigation' })).toHaveCount(0)
    expect(refused).toEqual([]) // a page asks for nothing before the sign-in
    const { violations } = await new AxeBuilder({ page }).analyze()
    expect(violations.map((v) => v.id)).toEqual([])
    await page.getByLabel('API key', { exact: true }).fill('pex_wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await expect(page.getByRole('alert')).toContainText('there is no such API key')
    await page.getByLabel('API key', { exact: true }).fill(reader)
    await page.getByRole('button', { name: 'Sign in' }).click()
    // The page that was requested.
    await expect(page.getByRole('heading', { name: 'Fetch logs', level: 1 })).toBeVisible()
    await expect(page.locator('.side')).toContainText('reader (read)')
    await expect(page.locator('.side').getByRole('link', { name: 'Access' })).toHaveCount(0)
    expect(await page.evaluate(() => document.cookie)).toBe('') // scripts cannot read the cookie

    // The reader sees live data. What the key may not do is disabled, with the reason.
    await page.goto(`${explorer.url}/ui/automation`)
    await expect(page.locator('[data-connection=open]').first()).toBeAttached()
    const daily = page.getByRole('switch', { name: /fetch_bills_daily/ })
    await expect(daily).toBeDisabled()
    await expect(daily).toHaveAccessibleDescription('This needs the scope “operate”. You have “read”.')
    await daily.click({ force: true })
    await expect(daily).not.toBeChecked()
    await expect(page.getByRole('button', { name: 'Run now: fetch_bills_daily' })).toBeDisabled()
    await page.goto(`${explorer.url}/ui/access`)
    await expect(page.getByText('This needs the scope “admin”. You have “read”.')).toBeVisible()
    await expect(page.getByRole('button', { name: 'Create a key' })).toHaveCount(0)
    await page.getByRole('button', { name: 'Sign out' }).first().click()
    await expect(page.getByRole('heading', { name: 'Sign in', level: 1 })).toBeVisible()

    // A page of River UI redirects to the sign-in and back.
    await page.goto(`${explorer.url}/riverui/queues`)
    await expect(page.getByRole('heading', { name: 'Sign in', level: 1 })).toBeVisible()
    await page.getByLabel('API key', { exact: true }).fill(admin)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await expect(page).toHaveURL(`${explorer.url}/riverui/queues`)
    await expect(page.getByText('materialize').first()).toBeVisible()

    await page.goto(`${explorer.url}/ui/`)
    await page.locator('.side').getByRole('link', { name: 'Access' }).click()
    await page.getByLabel('Owner or purpose').fill('robot')
    await page.getByLabel('Scope').selectOption('operate')
    await page.getByRole('button', { name: 'Create a key' }).click()
    const shown = page.getByRole('status').filter({ hasText: 'Key robot' })
    const key = (await shown.locator('code').innerText()).trim()
    expect(key).toMatch(/^pex_\w{8}_\w+$/)
    const may = async () =>
      (
        await fetch(`${explorer.url}/jobs/monitor_job/runs`, {
          method: 'POST',
          headers: { Authorization: `Bearer ${key}` },
        })
      ).status
    expect(await may()).toBe(202)
    await page.getByRole('button', { name: 'Revoke: robot' }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click()
    await expect(page.getByRole('row', { name: /robot/ }).first()).toContainText('Revoked')
    expect(await may()).toBe(401)
    await expect(page.getByRole('cell', { name: /^Run a job/ }).first()).toBeVisible()

    // An admin ends the session of another browser, then their own.
    const other = await fetch(`${explorer.url}/session`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ key: reader }),
    })
    const cookie = other.headers
      .getSetCookie()
      .map((c) => c.split(';')[0])
      .join('; ')
    const looks = async () => (await fetch(`${explorer.url}/jobs`, { headers: { Cookie: cookie } })).status
    expect(await looks()).toBe(200)
    await page.reload()
    await expect(page.getByRole('row', { name: /root.*This session/ })).toBeVisible()
    await page.getByRole('button', { name: 'End: reader' }).first().click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'End', exact: true }).click()
    await expect(page.getByRole('button', { name: 'End: reader' })).toHaveCount(0)
    expect(await looks()).toBe(401)
    await page.getByRole('button', { name: 'End all: root' }).first().click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'End all', exact: true }).click()
    await expect(page.getByRole('heading', { name: 'Sign in', level: 1 })).toBeVisible()

    // return_to in a link cannot lead to another site.
    for (const evil of [
      '//evil.example/',
      '/%09/evil.example/',
      '/%0A/evil.example/',
      '/%5Cevil.example',
      '/.//evil.example',
      'javascript:alert(1)',
    ]) {
      await page.context().clearCookies()
      await page.goto(`${explorer.url}/ui/sign-in?return_to=${evil}`)
      await page.getByLabel('API key', { exact: true }).fill(reader)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await expect(page).toHaveURL(`${explorer.url}/ui/home`) // where readers begin
    }
    expect(troubles).toEqual([])
  } finally {
    await explorer.stop()
    await explorer.start()
  }
})

test('who only reads lands on the bills, and operators on the overview', async ({ page, explorer }) => {
  test.setTimeout(300_000)
  await explorer.materialize('fetch_latest_bills', { limit: 9 })
  await explorer.stop()
  await explorer.start({ AUTH: 'on', PUBLIC_READ: 'data' })
  try {
    const keys = Object.fromEntries(
      ['read', 'operate'].map((scope) => [scope, explorer.cli('keys', 'create', scope, '--scope', scope).trim()]),
    )
    const refused: string[] = []
    page.on('response', (r) => r.status() === 401 && refused.push(r.url()))
    await page.goto(`${explorer.url}/ui/`)
    await expect(page).toHaveURL(`${explorer.url}/ui/home`)
    await expect(page.getByRole('heading', { name: 'Federal bills' })).toBeVisible()
    const navigation = page.getByRole('navigation', { name: 'Main navigation' })
    await expect(navigation.getByRole('group', { name: 'Operations' })).toHaveCount(0)
    for (const name of ['Bills', 'Search', 'Politicians', 'Data and feeds']) {
      await navigation.getByRole('link', { name, exact: true }).click()
      await expect(page.locator('h1')).toBeVisible()
      await expect(page.locator('.skeleton')).toHaveCount(0)
    }
    expect(refused).toEqual([])
    await page.goto(`${explorer.url}/ui/runs`)
    await expect(page.getByRole('heading', { name: 'Sign in', level: 1 })).toBeVisible()

    const signIn = async (scope: string) => {
      await page.goto(`${explorer.url}/ui/home`)
      await page.locator('.side').getByRole('link', { name: 'Sign in' }).click()
      await page.getByLabel('API key', { exact: true }).fill(keys[scope]!)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await expect(page.locator('.side')).toContainText(`(${scope})`)
    }
    await signIn('read')
    await expect(page).toHaveURL(`${explorer.url}/ui/home`)
    await page.goto(`${explorer.url}/ui/`)
    await expect(page).toHaveURL(`${explorer.url}/ui/home`)
    await page.locator('.side').getByRole('link', { name: 'Overview' }).click()
    await expect(page.getByRole('heading', { name: 'Overview', level: 1 })).toBeVisible()
    await page.getByRole('button', { name: 'Sign out' }).first().click()
    await expect(page.locator('.side').getByRole('link', { name: 'Sign in' })).toBeVisible()

    await signIn('operate')
    await expect(page.getByRole('heading', { name: 'Overview', level: 1 })).toBeVisible()
  } finally {
    await explorer.stop()
    await explorer.start()
  }
})
