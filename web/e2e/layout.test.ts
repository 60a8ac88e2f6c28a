import type { Browser } from '@playwright/test'

import { expect, test } from './explorer'
import { everyPage } from './pages'

interface Measured {
  path: string
  width: number
  /** Cumulative layout shift, without input. */
  cls: number
  /** Time of the largest contentful paint, in milliseconds. */
  lcp: number
  /** Compressed bytes of the UI's own files of the first load. */
  bytes: number
}

/** Opens a page in a browser that has seen nothing yet, and measures it once it is complete. */
async function measure(browser: Browser, url: string, path: string, width: number): Promise<Measured> {
  const context = await browser.newContext({ viewport: { width, height: 900 } })
  const page = await context.newPage()
  await page.addInitScript(() => {
    // What is loaded ahead for later is not part of the first load.
    Object.defineProperty(navigator, 'connection', { value: { saveData: true } })
    const seen = { cls: 0, lcp: 0 }
    Object.assign(window, { seen })
    new PerformanceObserver((list) => {
      for (const e of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[])
        if (!e.hadRecentInput) seen.cls += e.value
    }).observe({ type: 'layout-shift', buffered: true })
    new PerformanceObserver((list) => {
      for (const e of list.getEntries()) seen.lcp = e.startTime
    }).observe({ type: 'largest-contentful-paint', buffered: true })
  })
  await page.goto(`${url}/ui/${path}`)
  await expect(page.locator('h1').first()).toBeAttached()
  await expect(page.locator('.skeleton')).toHaveCount(0)
  const measured = await page.evaluate(async () => {
    await document.fonts.ready
    for (let i = 0; i < 3; i++) await new Promise((done) => requestAnimationFrame(() => requestIdleCallback(done)))
    const files = performance.getEntriesByType('resource') as PerformanceResourceTiming[]
    const document_ = performance.getEntriesByType('navigation') as PerformanceResourceTiming[]
    const own = [...document_, ...files].filter((f) => new URL(f.name).pathname.startsWith('/ui/'))
    const { cls, lcp } = (window as unknown as { seen: { cls: number; lcp: number } }).seen
    return { cls, lcp, bytes: own.reduce((sum, f) => sum + f.encodedBodySize, 0) }
  })
  await context.close()
  return { path: path || '/', width, ...measured }
}

test('no page moves while it loads, and none is heavy', async ({ browser, explorer }) => {
  test.setTimeout(900_000)
  const paths = await everyPage(explorer)
  const all: Measured[] = []
  const widths = [1440, 390]
  for (const [i, path] of paths.entries()) {
    // In CI, each page is measured once.
    for (const width of process.env.CI ? [widths[i % 2]!] : widths)
      all.push(await measure(browser, explorer.url, path, width))
  }
  if (process.env.LAYOUT_TABLE) {
    for (const m of all)
      console.log(`${m.width} ${m.cls.toFixed(3)} ${m.lcp.toFixed(0)} ms ${(m.bytes / 1000).toFixed(0)} kB ${m.path}`)
  }
  expect(all.filter((m) => m.cls > 0.05)).toEqual([])
  // The graph has a library of its own.
  const most = (m: Measured) => (/(view|steps)=graph/.test(m.path) ? 300_000 : 250_000)
  expect(all.filter((m) => m.bytes > most(m))).toEqual([])
  expect(all.filter((m) => m.bytes < 50_000)).toEqual([]) // otherwise nothing was measured
})
