import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

import { expect, test } from './explorer'

test('materialize and read the log by keyboard alone', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/`)
  await expect(page.locator('h1')).toBeVisible()
  const tabTo = async (name: RegExp) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab')
      const at = await page.evaluate(
        () =>
          (document.activeElement as HTMLElement | null)?.getAttribute('aria-label') ??
          document.activeElement?.textContent ??
          '',
      )
      if (name.test(at.trim())) return
    }
    throw new Error(`Tab does not lead to ${name}`)
  }
  await tabTo(/^Assets$/)
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { name: 'Assets' })).toBeVisible()
  await tabTo(/^Materialize: fetch_latest_bills$/)
  await page.keyboard.press('Enter')
  await expect(page.getByLabel('limit', { exact: true })).toBeVisible()
  for (
    let i = 0;
    i < 60 && !(await page.getByLabel('limit', { exact: true }).evaluate((e) => e === document.activeElement));
    i++
  )
    await page.keyboard.press('Tab')
  await page.keyboard.press('Control+A')
  await page.keyboard.type('6')
  await page.keyboard.press('Enter') // submits the form
  await expect(page.locator('h1 + [data-status]')).toHaveAttribute('data-status', 'success')
  await tabTo(/^Log of the run$/) // with focus, the arrow keys go from line to line
  await page.keyboard.press('Home')
  await expect(page.getByRole('button', { name: 'run enqueued' })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByText('"trigger": "api"')).toBeVisible()
})

test('French, and it is kept', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/`)
  await page.getByRole('button', { name: 'Passer au français' }).click()
  await expect(page.getByRole('heading', { name: 'Aperçu' })).toBeVisible()
  await page.reload()
  await expect(page.getByRole('heading', { name: 'Aperçu' })).toBeVisible()
  await expect(page.locator('html')).toHaveAttribute('lang', 'fr')
})

test('the drawer of a small screen', async ({ page, explorer }) => {
  await page.setViewportSize({ width: 390, height: 844 })
  await page.goto(`${explorer.url}/ui/`)
  await page.getByRole('button', { name: 'Menu' }).click()
  await page.getByRole('dialog').getByRole('link', { name: 'Bills' }).click()
  await expect(page.getByRole('heading', { name: 'Bills' })).toBeVisible()
  await expect(page.getByRole('dialog')).toHaveCount(0)
})

test('it works below a path that a proxy takes off', async ({ page, explorer }) => {
  const prefix = '/tools/explorer'
  const proxy = createServer((incoming, outgoing) => {
    if (!incoming.url?.startsWith(prefix + '/')) return outgoing.writeHead(404).end()
    const asked = request(
      explorer.url + incoming.url.slice(prefix.length),
      { method: incoming.method, headers: incoming.headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      },
    )
    asked.on('error', () => outgoing.destroy()) // the browser left, as it does when it reloads
    incoming.pipe(asked)
    outgoing.on('close', () => asked.destroy())
  })
  await new Promise<void>((ready) => proxy.listen(0, '127.0.0.1', ready))
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${prefix}`
  const run = await explorer.materialize('fetch_latest_bills', { limit: 4 })
  await page.goto(`${url}/`)
  await expect(page).toHaveURL(`${url}/ui/`)
  await expect(page.locator('.side [data-connection]')).toHaveAttribute('data-connection', 'open')
  await page.getByRole('link', { name: 'Runs', exact: true }).click()
  await page.getByRole('link', { name: run.slice(-8) }).click()
  await expect(page).toHaveURL(`${url}/ui/runs/${run}`)
  await page.reload() // a deep link
  await expect(page.getByRole('button', { name: 'run succeeded' })).toBeVisible()
  proxy.closeAllConnections()
  proxy.close()
})
