import { expect, test } from './explorer'
import { en } from '../src/i18n/en'
import { fr } from '../src/i18n/fr'
import { everyPage } from './pages'

/** All texts of a table that have no parameters. */
function textsOf(table: Record<string, Record<string, string>>): Set<string> {
  return new Set(
    Object.values(table)
      .flatMap((section) => Object.values(section))
      .filter((text) => !text.includes('{{')),
  )
}

interface Described {
  description?: string
  description_i18n?: { en: string; fr: string | null }
}

test('in French, no page has a text in English', async ({ page, explorer }) => {
  test.setTimeout(600_000)
  const paths = await everyPage(explorer)
  const french = textsOf(fr)
  const english = new Set([...textsOf(en)].filter((text) => !french.has(text) && /[a-z]{3}/.test(text)))
  for (const list of ['assets', 'jobs', 'schedules', 'sensors']) {
    const { items } = await explorer.api<{ items: Described[] }>(`/${list}`)
    for (const { description, description_i18n } of items) {
      if (description && description_i18n?.fr && description_i18n.fr !== description) english.add(description)
    }
  }
  // Names that somebody gave are no texts of the UI, even if they are words of it.
  for (const { name } of (await explorer.api<{ items: { name: string }[] }>('/keys')).items) english.delete(name)
  expect(english.size).toBeGreaterThan(500)
  const wrong: string[] = []
  for (const path of paths) {
    await page.goto(`${explorer.url}/ui/${path}${path.includes('?') ? '&' : '?'}lang=fr`)
    await expect(page.locator('html')).toHaveAttribute('lang', 'fr')
    await expect(page.locator('h1').first()).toBeAttached()
    await expect(page.locator('.skeleton')).toHaveCount(0)
    const shown = await page.evaluate(() => {
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
    wrong.push(...new Set(shown.filter((text) => english.has(text)).map((text) => `${path}: ${text}`)))
  }
  expect(wrong).toEqual([])
})
