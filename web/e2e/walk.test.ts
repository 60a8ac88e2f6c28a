import AxeBuilder from '@axe-core/playwright'
import type { Browser, BrowserContextOptions, Page } from '@playwright/test'

import { expect, test } from './explorer'
import { textsOnlyInEnglish } from './english'
import { everyPage } from './pages'

test.describe.configure({ mode: 'parallel' }) // to walk all pages takes minutes

interface Walk {
  scheme: 'light' | 'dark'
  width: number
  lang: 'en' | 'fr'
}

/** Colours depend on the colour scheme, layout on the width and the language. */
const walks: Walk[] = [
  { scheme: 'light', width: 1280, lang: 'fr' },
  { scheme: 'dark', width: 390, lang: 'fr' },
  { scheme: 'dark', width: 1440, lang: 'en' },
  { scheme: 'light', width: 390, lang: 'en' },
]

interface Load {
  /** Cumulative layout shift, without input. */
  cls: number
  /** Time of the largest contentful paint, in milliseconds. */
  lcp: number
  /** Compressed bytes of the UI's own files of the first load. */
  bytes: number
}

/** Opens a page in a browser that has seen nothing yet, and measures it once it is complete. */
async function open(page: Page, address: string): Promise<Load> {
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
  await page.goto(address)
  await expect(page.locator('h1').first()).toBeAttached()
  await expect(page.locator('.skeleton')).toHaveCount(0)
  return page.evaluate(async () => {
    await document.fonts.ready
    for (let i = 0; i < 3; i++) await new Promise((done) => requestAnimationFrame(() => requestIdleCallback(done)))
    const files = performance.getEntriesByType('resource') as PerformanceResourceTiming[]
    const document_ = performance.getEntriesByType('navigation') as PerformanceResourceTiming[]
    const own = [...document_, ...files].filter((f) => new URL(f.name).pathname.startsWith('/ui/'))
    const { cls, lcp } = (window as unknown as { seen: { cls: number; lcp: number } }).seen
    return { cls, lcp, bytes: own.reduce((sum, f) => sum + f.encodedBodySize, 0) }
  })
}

/** Opens a page and returns what is wrong with it. */
async function faults(browser: Browser, url: string, path: string, walk: Walk, english: Set<string>) {
  const wrong: string[] = []
  const options: BrowserContextOptions = {
    colorScheme: walk.scheme,
    viewport: { width: walk.width, height: 900 },
    reducedMotion: 'reduce',
  }
  const context = await browser.newContext(options)
  const page = await context.newPage()
  page.on('pageerror', (error) => wrong.push(error.message))
  page.on('console', (m) => /Content Security Policy/.test(m.text()) && wrong.push(m.text()))
  page.on('request', (r) => !r.url().startsWith(url) && !/^(data|blob):/.test(r.url()) && wrong.push(`asks ${r.url()}`))

  const load = await open(page, `${url}/ui/${path}${path.includes('?') ? '&' : '?'}lang=${walk.lang}`)
  if (process.env.LAYOUT_TABLE)
    console.log(
      [walk.width, load.cls.toFixed(3), `${load.lcp.toFixed(0)} ms`, `${(load.bytes / 1000).toFixed(0)} kB`, path].join(
        ' ',
      ),
    )
  if (load.cls > 0.05) wrong.push(`moves while it loads: ${load.cls}`)
  // Without any bytes, nothing was measured.
  if (load.bytes > 250_000 || load.bytes < 50_000) wrong.push(`loads ${load.bytes} bytes`)
  if (await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth))
    wrong.push('scrolls sideways')
  if ((await page.locator('html').getAttribute('lang')) !== walk.lang) wrong.push('has another language')
  if (walk.lang === 'fr') wrong.push(...(await textsOf(page)).filter((text) => english.has(text)))
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze()
  wrong.push(...violations.map((v) => `${v.id} ${v.nodes.map((n) => n.html.slice(0, 200)).join(' | ')}`))
  await context.close()
  return [...new Set(wrong)].map((fault) => `${path}: ${fault}`)
}

/** All texts of a page, with those of its attributes. */
function textsOf(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [document.title.split(' · ')[0]!]
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT)
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.nodeType === Node.TEXT_NODE) {
        if (!node.parentElement?.closest('script, style, noscript, [lang=en]')) found.push(node.textContent ?? '')
      } else {
        for (const name of ['aria-label', 'title', 'placeholder', 'alt', 'data-label'])
          found.push((node as Element).getAttribute(name) ?? '')
      }
    }
    return found.map((text) => text.trim()).filter(Boolean)
  })
}

// In CI, each page is opened once, in one of the first two ways.
for (const [n, walk] of (process.env.CI ? walks.slice(0, 2) : walks).entries()) {
  const { scheme, width, lang } = walk
  test(`every page is accessible, light and in one language: ${scheme}, ${width} wide, ${lang}`, async ({
    browser,
    explorer,
  }) => {
    test.setTimeout(600_000)
    const pages = (await everyPage(explorer)).filter((_, i) => !process.env.CI || i % 2 === n)
    const english = await textsOnlyInEnglish(explorer)
    for (const path of pages) expect.soft(await faults(browser, explorer.url, path, walk, english)).toEqual([])
  })
}
