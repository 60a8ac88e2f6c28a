import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'

import { expect, test } from './explorer'

const node = (page: Page, name: string) => page.locator(`.graph-node[data-id="${name}"]`)

/** The pairs of nodes that lie on each other. */
const overlaps = (page: Page) =>
  page.locator('.graph-node').evaluateAll((nodes) => {
    const boxes = nodes.map((n) => ({ id: n.getAttribute('data-id'), box: n.getBoundingClientRect() }))
    return boxes.flatMap((a, i) =>
      boxes
        .slice(i + 1)
        .filter(
          (b) =>
            a.box.left < b.box.right &&
            b.box.left < a.box.right &&
            a.box.top < b.box.bottom &&
            b.box.top < a.box.bottom,
        )
        .map((b) => `${a.id} on ${b.id}`),
    )
  })

test('a new selection is laid out afresh, and selects', async ({ page, explorer }) => {
  const { nodes, edges } = await explorer.api<{
    nodes: { name: string }[]
    edges: { from: string; to: string }[]
  }>('/assets/graph')
  const upstream = edges[0]!.from
  await page.goto(`${explorer.url}/ui/assets?view=graph`)
  await expect(page.locator('.graph-node')).toHaveCount(nodes.length)
  await expect.poll(() => overlaps(page)).toEqual([])
  const selection = page.getByLabel('Selection')
  // One after the other, so that nodes come back beside nodes that stayed.
  for (const text of [
    upstream,
    `${upstream}+`,
    'monitor_fetch_operations',
    `monitor_fetch_operations or ${upstream}+`,
  ]) {
    await selection.fill(text)
    const query = new URLSearchParams({ selection: text })
    const { nodes } = await explorer.api<{ nodes: { name: string }[] }>(`/assets/graph?${query.toString()}`)
    await expect(page.locator('.graph-node.selected')).toHaveCount(nodes.length)
    await expect(page.locator('.graph-node')).toHaveCount(nodes.length)
    await expect.poll(() => overlaps(page)).toEqual([])
  }
  await selection.fill('')
  await expect(page.locator('.graph-node')).toHaveCount(nodes.length)
  await expect(page.locator('.graph-node.selected')).toHaveCount(0)
  await expect.poll(() => overlaps(page)).toEqual([])
})

test('upstream and downstream by the menu of a node, with the keyboard', async ({ page, explorer }) => {
  const { edges } = await explorer.api<{ edges: { from: string; to: string }[] }>('/assets/graph')
  const { from, to } = edges[0]!
  await page.goto(`${explorer.url}/ui/assets?view=graph`)
  await node(page, from).getByRole('button').focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('menu')).toBeFocused()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  await expect(page.getByRole('menuitem', { name: 'Select with everything downstream' })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByLabel('Selection')).toHaveValue(`${from}+`)
  await expect(node(page, from)).toHaveClass(/selected/)
  await expect(node(page, to)).toHaveClass(/selected/)
  await expect(page.getByRole('button', { name: /^Materialize [2-9] assets/ })).toBeVisible()
  await page.goBack() // each selection is an address
  await expect(page.getByLabel('Selection')).toHaveValue('')
  await expect(page.locator('.graph-node.selected')).toHaveCount(0)
})

test('what has to be configured first leads to the launchpad', async ({ page, explorer }) => {
  await page.goto(`${explorer.url}/ui/assets?view=graph&selection=fetch_parliament_session_bills`)
  await page.getByRole('button', { name: /^Materialize 1 asset/ }).click()
  await expect(page).toHaveURL(/\/launch\?assets=fetch_parliament_session_bills$/)
  await expect(page.getByRole('spinbutton', { name: /parliament/ })).toBeVisible()
})

test.describe('by touch', () => {
  test.use({ hasTouch: true, viewport: { width: 390, height: 844 } })
  test('several assets are selected', async ({ page, explorer }) => {
    await page.goto(`${explorer.url}/ui/assets?view=graph&selection=fetch_latest_bills+or+monitor_fetch_operations`)
    await expect(page.locator('.graph-node.selected')).toHaveCount(2)
    await page.getByRole('button', { name: 'Clear the selection' }).tap()
    await expect(page.locator('.graph-node.selected')).toHaveCount(0)
    await page.getByLabel('Select fetch_latest_bills').tap()
    await page.getByLabel('Select monitor_fetch_operations').tap()
    await expect(page.locator('.graph-node.selected')).toHaveCount(2)
    await page.getByLabel('Select fetch_latest_bills').tap()
    await expect(page.locator('.graph-node.selected')).toHaveCount(1)
  })
})

test('on a phone, what a node has is large enough for a finger', async ({ page, explorer }) => {
  await page.setViewportSize({ width: 390, height: 900 })
  for (const selection of ['', '&selection=%2Bbill_statistics']) {
    await page.goto(`${explorer.url}/ui/assets?view=graph${selection}`)
    await expect(page.getByLabel('Select fetch_latest_bills')).toBeVisible()
    const { violations } = await new AxeBuilder({ page }).withRules(['target-size']).analyze()
    expect(violations.flatMap((v) => v.nodes.map((n) => n.html))).toEqual([])
  }
})

test('on a phone, the graph has its full size and is scrolled', async ({ page, explorer }) => {
  await page.setViewportSize({ width: 390, height: 844 })
  const run = await explorer.api<{ id: string }>('/runs', { assets: ['fetch_latest_bills', 'bill_statistics'] })
  for (const path of ['assets?view=graph', `runs/${run.id}?steps=graph`]) {
    await page.goto(`${explorer.url}/ui/${path}`)
    const nodes = page.locator('.graph-node')
    await expect(nodes.first()).toBeVisible()
    const scroller = await page.locator('.graph-scroller').boundingBox()
    const boxes = await Promise.all((await nodes.all()).map(async (node) => (await node.boundingBox())!))
    const left = Math.min(...boxes.map((box) => box.x)) - scroller!.x
    expect(left).toBeGreaterThanOrEqual(0) // nothing is cut off where scrolling begins
    expect(left).toBeLessThan(30)
    expect(Math.min(...boxes.map((box) => box.width))).toBeGreaterThan(200) // not shrunk
    const last = nodes.nth(boxes.findIndex((box) => box.x === Math.max(...boxes.map((b) => b.x))))
    await last.scrollIntoViewIfNeeded()
    await expect(last).toBeInViewport({ ratio: 0.99 })
  }
})
