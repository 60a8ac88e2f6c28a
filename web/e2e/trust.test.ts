import { expect, test } from './explorer'

test('a search in quotes keeps its quotes, and old links are still read', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/search?q="online streaming"`)
  await expect(page.getByRole('searchbox').first()).toHaveValue('"online streaming"')
  await page.goto(`${explorer.url}/ui/bills?q=1e3`)
  const text = page.getByRole('searchbox').first()
  await expect(text).toHaveValue('1e3')
  await text.fill('"climate"')
  await expect(page).toHaveURL(`${explorer.url}/ui/bills?q=%22climate%22`)
  await page.reload()
  await expect(text).toHaveValue('"climate"')
  await page.goto(`${explorer.url}/ui/bills?q=%22%5C%22climate%5C%22%22`) // an old link
  await expect(text).toHaveValue('"climate"')
  await expect(page).toHaveURL(`${explorer.url}/ui/bills?q=%22climate%22`)
})

test('a number that was emptied is not set', async ({ page, explorer }) => {
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(error.message))
  await page.goto(`${explorer.url}/ui/assets/fetch_latest_bills?tab=launch`)
  const limit = page.getByLabel('limit', { exact: true })
  await limit.click()
  await limit.press('Control+A')
  await limit.press('Backspace')
  await expect(limit).toHaveValue('')
  await expect(page.getByRole('navigation', { name: 'Main navigation' })).toBeVisible()
  await page.getByRole('button', { name: 'Materialize', exact: true }).click()
  await expect(page).toHaveURL(/\/ui\/runs\/[0-9a-f-]{36}$/)
  expect(errors).toEqual([])
})

test('a part of a page that fails leaves the rest and the navigation', async ({ page, explorer }) => {
  await page.route(/\/schedules$/, (route) => route.fulfill({ json: { items: [{ name: 'x', running: true }] } }))
  await page.goto(`${explorer.url}/ui/automation`)
  const schedules = page.getByRole('region', { name: 'Schedules' })
  await expect(schedules.getByRole('alert')).toContainText('An error occurred in this part of the page')
  await expect(page.getByRole('switch', { name: 'Sensor new_bills_sensor' })).toBeVisible()
  await page.getByRole('link', { name: 'Runs', exact: true }).click()
  await expect(page.getByRole('heading', { name: 'Runs', level: 1 })).toBeVisible()
})

test('a refused switch goes back', async ({ page, explorer }) => {
  for (const [path, name] of [
    ['schedules/fetch_bills_daily', 'Schedule fetch_bills_daily'],
    ['sensors/new_bills_sensor', 'Sensor new_bills_sensor'],
  ] as const) {
    await page.route(`**/${path}/start`, (route) =>
      route.fulfill({
        status: 403,
        contentType: 'application/problem+json',
        json: { type: 'about:blank', title: 'Forbidden', status: 403, detail: 'this needs the scope operate' },
      }),
    )
    await page.goto(`${explorer.url}/ui/automation`)
    const row = page.getByRole('row', { name: new RegExp(name.split(' ')[1]!) })
    await row.getByRole('switch', { name }).click()
    await expect(page.getByText('this needs the scope operate').first()).toBeVisible()
    await expect(row.getByRole('switch', { name })).not.toBeChecked()
    if (path.startsWith('schedules')) await expect(row.getByText('stopped')).toBeVisible()
    await page.goto(`${explorer.url}/ui/automation/${path}`)
    await page.getByRole('switch', { name }).click()
    await expect(page.getByText('this needs the scope operate').first()).toBeVisible()
    await expect(page.getByRole('switch', { name })).not.toBeChecked()
  }
})

test('a switch that got no answer is unknown until the server answers', async ({ page, context, explorer }) => {
  await explorer.api('/schedules/fetch_bills_daily/start', {})
  try {
    await page.goto(`${explorer.url}/ui/automation`)
    const row = page.getByRole('row', { name: /fetch_bills_daily/ })
    const turn = row.getByRole('switch', { name: 'Schedule fetch_bills_daily' })
    await expect(turn).toBeChecked()
    await context.setOffline(true)
    await turn.click()
    const doubt = row.getByRole('button', { name: /^Schedule fetch_bills_daily: unknown/ })
    await expect(doubt).toBeVisible()
    await expect(row.getByRole('cell', { name: 'unknown' }).last()).toBeVisible() // the next tick
    await expect(turn).toHaveCount(0)
    await context.setOffline(false)
    await doubt.click({ timeout: 1000 }).catch(() => undefined) // the stream may have been quicker
    await expect(turn).toBeChecked() // what the server says
  } finally {
    await context.setOffline(false)
    await explorer.api('/schedules/fetch_bills_daily/stop', {})
  }
})

test('the bar of a canceled backfill says what each part is', async ({ page, explorer }) => {
  const { id } = await explorer.api<{ id: string }>('/backfills', {
    assets: ['bills_introduced_by_day'],
    range: { from: '2026-04-01', to: '2026-04-01' },
  })
  await page.route(`**/backfills/${id}`, async (route) => {
    if (route.request().resourceType() === 'document') return route.continue()
    const response = await route.fetch()
    const counts = { pending: 0, running: 0, success: 1, failure: 0, canceled: 4, not_started: 3 }
    await route.fulfill({ response, json: { ...(await response.json()), status: 'canceled', total: 5, counts } })
  })
  await page.goto(`${explorer.url}/ui/backfills/${id}`)
  const bar = page.getByRole('progressbar', { name: 'Progress of the backfill' })
  await expect(bar).toHaveAttribute('aria-valuenow', '1')
  await expect(page.getByText('1 of 5 done')).toBeVisible()
  await expect(page.getByText('1 succeeded · 1 canceled · 3 not started', { exact: true })).toBeVisible()
  const widths = await bar
    .locator('> *')
    .evaluateAll((all) =>
      all.map((e) => [
        e.getAttribute('data-part'),
        Math.round((100 * e.getBoundingClientRect().width) / e.parentElement!.getBoundingClientRect().width),
      ]),
    )
  expect(widths).toEqual([
    ['success', 20],
    ['canceled', 20],
    ['notStarted', 60],
  ])
})

test('six tabs share one stream, and those in the background have none', async ({ context, explorer }) => {
  const run = await explorer.materialize('fetch_latest_bills', { limit: 3 })
  const pages = []
  for (let i = 0; i < 6; i++) {
    const page = await context.newPage()
    await page.goto(`${explorer.url}/ui/runs`)
    await expect(page.getByRole('link', { name: run.slice(-8) })).toBeVisible()
    pages.push(page)
  }
  // Every tab shows its data and is live, though a browser allows six connections to a server.
  for (const page of pages)
    await expect(page.locator('.side [data-connection]')).toHaveAttribute('data-connection', 'open')
  const next = await explorer.materialize('monitor_fetch_operations')
  for (const page of pages) await expect(page.getByRole('link', { name: next.slice(-8) })).toBeVisible()

  // In the first tab, the page says that it is hidden.
  const first = pages[0]!
  await first.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'hidden' })
    document.dispatchEvent(new Event('visibilitychange'))
  })
  await expect(first.locator('.side [data-connection]')).toHaveAttribute('data-connection', 'paused')
})

test('without shared workers, one tab leads', async ({ context, explorer }) => {
  await context.addInitScript(() => Reflect.deleteProperty(globalThis, 'SharedWorker'))
  const streams = new Set<string>()
  context.on('request', (request) => {
    if (/\/events\?/.test(request.url())) streams.add(request.frame().page().url() + streams.size)
  })
  const pages = []
  for (let i = 0; i < 3; i++) {
    const page = await context.newPage()
    await page.goto(`${explorer.url}/ui/runs`)
    await expect(page.locator('.side [data-connection]')).toHaveAttribute('data-connection', 'open')
    pages.push(page)
  }
  expect(streams.size).toBe(1)
  const run = await explorer.materialize('monitor_fetch_operations')
  for (const page of pages) await expect(page.getByRole('link', { name: run.slice(-8) })).toBeVisible()
  await pages[0]!.close()
  await expect(pages[1]!.locator('.side [data-connection]')).toHaveAttribute('data-connection', 'open')
  const next = await explorer.materialize('monitor_fetch_operations')
  for (const page of pages.slice(1)) await expect(page.getByRole('link', { name: next.slice(-8) })).toBeVisible()
})

test('a page that cannot be loaded says so, and is loaded once the server answers', async ({ page, explorer }) => {
  let down = true
  await page.route(/\/static\/system-[^/]*\.js$/, (route) => (down ? route.abort() : route.continue()))
  await page.goto(`${explorer.url}/ui/`)
  await page.locator('.side').getByRole('link', { name: 'System' }).click()
  await expect(page.getByRole('alert')).toContainText('This page could not be loaded')
  await expect(page.getByRole('navigation', { name: 'Main navigation' })).toBeVisible()
  down = false
  await expect(page.getByRole('heading', { name: 'System', level: 1 })).toBeVisible()
})

test('pages are loaded ahead, so a server that restarts stops nobody', async ({ page, explorer }) => {
  const ahead = page.waitForResponse(/\/static\/access-[^/]*\.js$/) // the last one
  await page.goto(`${explorer.url}/ui/`)
  await (await ahead).finished()
  await page.route(/\/static\//, (route) => route.abort())
  await page.locator('.side').getByRole('link', { name: 'System' }).click()
  await expect(page.getByRole('heading', { name: 'System', level: 1 })).toBeVisible()
})

test('the language is in the address, and stays there', async ({ page, context, explorer }) => {
  await page.goto(`${explorer.url}/ui/?lang=fr`)
  await expect(page.getByRole('heading', { name: 'Aperçu', level: 1 })).toBeVisible()
  await page.locator('.side').getByRole('link', { name: 'Exécutions', exact: true }).click()
  await expect(page).toHaveURL(`${explorer.url}/ui/runs?lang=fr`)
  await page.getByRole('button', { name: /^État\s: / }).click()
  await page.getByRole('menuitemcheckbox', { name: 'Échouée' }).click()
  await expect(page).toHaveURL(`${explorer.url}/ui/runs?status=failure&lang=fr`)
  await page.goto(`${explorer.url}/ui/runs`) // the same tab
  await expect(page.locator('html')).toHaveAttribute('lang', 'fr')

  const other = await context.newPage()
  await other.goto(`${explorer.url}/ui/runs`)
  await other.getByRole('button', { name: 'Passer au français' }).click()
  await expect(other).toHaveURL(`${explorer.url}/ui/runs?lang=fr`)
  await expect(other.getByRole('heading', { name: 'Exécutions', level: 1 })).toBeVisible()
})

test('French dates stay in their card, and a time zone breaks after its slash', async ({ page, explorer }) => {
  await explorer.api('/schedules/fetch_bills_daily/start', {})
  try {
    await page.goto(`${explorer.url}/ui/automation/schedules/fetch_bills_daily?lang=fr`)
    await expect(page.locator('.card .date').first()).toBeVisible()
    const over = await page
      .locator('.card')
      .evaluateAll((cards) =>
        cards.flatMap((card) =>
          [...card.querySelectorAll('.date, .zone')]
            .filter((e) => e.getBoundingClientRect().right > card.getBoundingClientRect().right)
            .map((e) => e.textContent),
        ),
      )
    expect(over).toEqual([])
    const lines = await page.locator('.zone > span').evaluateAll((all) => all.map((e) => e.getClientRects().length))
    expect(lines.every((n) => n === 1)).toBe(true)
  } finally {
    await explorer.api('/schedules/fetch_bills_daily/stop', {})
  }
})

test('the log is one Tab stop, and arrow keys go from line to line', async ({ page, explorer }) => {
  const run = await explorer.materialize('fetch_latest_bills', { limit: 7 })
  await page.goto(`${explorer.url}/ui/runs/${run}`)
  const log = page.locator('.log')
  await expect(log).toHaveAttribute('data-complete', 'true')
  await log.focus()
  await page.keyboard.press('Tab')
  expect(await log.evaluate((e) => e.contains(document.activeElement))).toBe(false)
  await page.keyboard.press('Shift+Tab')
  await expect(log).toBeFocused()
  await page.keyboard.press('Home')
  const first = log.locator('[data-index="0"]')
  await expect(first.locator('.message')).toBeFocused()
  await page.keyboard.press('ArrowRight')
  await expect(first.locator('.act')).toBeFocused()
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowDown')
  await expect(log.locator('[data-index="1"] .message')).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(log.locator('[data-index="1"] .message')).toHaveAttribute('aria-expanded', 'true')
  await page.keyboard.press('End')
  await expect(log.getByRole('button', { name: 'run succeeded' })).toBeFocused()
})

test('in forced colours a switch shows its state', async ({ page, explorer }) => {
  await page.emulateMedia({ forcedColors: 'active' })
  await explorer.api('/schedules/fetch_bills_daily/start', {})
  try {
    await page.goto(`${explorer.url}/ui/automation`)
    const looks = (name: string) =>
      page.getByRole('switch', { name }).evaluate((e) => getComputedStyle(e).backgroundColor)
    await expect(page.getByRole('switch', { name: 'Schedule fetch_bills_daily' })).toBeChecked()
    expect(await looks('Schedule fetch_bills_daily')).not.toBe(await looks('Schedule fetch_bills_hourly'))
  } finally {
    await explorer.api('/schedules/fetch_bills_daily/stop', {})
  }
})

for (const width of [1440, 390]) {
  test(`pages do not shift while they load, ${width} wide`, async ({ page, explorer }) => {
    test.setTimeout(180_000)
    await explorer.materialize('fetch_latest_bills', { limit: 9 })
    await explorer.materialize('fetch_parliament_session_bills', { parliament: 99, session: 1 })
    await page.setViewportSize({ width, height: 900 })
    await page.addInitScript(() => {
      const shifts = globalThis as unknown as { cls: number }
      shifts.cls = 0
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries() as unknown as { value: number; hadRecentInput: boolean }[])
          if (!entry.hadRecentInput) shifts.cls += entry.value
      }).observe({ type: 'layout-shift', buffered: true })
    })
    for (const path of ['', 'automation', 'alerts', 'system', 'backfills', 'runs', 'assets', 'bills', 'data']) {
      await page.goto(`${explorer.url}/ui/${path}`)
      await expect(page.locator('h1')).toBeVisible()
      await expect(page.locator('.skeleton')).toHaveCount(0)
      const cls = await page.evaluate(() => (globalThis as unknown as { cls: number }).cls)
      expect.soft(cls, `CLS of /ui/${path}`).toBeLessThanOrEqual(0.05)
    }
  })
}
