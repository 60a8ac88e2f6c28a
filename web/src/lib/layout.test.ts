import { expect, test } from 'vitest'

import { layOut, type Pair } from './layout'

const size = { width: 240, height: 92 }
const pairs = (text: string): Pair[] =>
  text.split(' ').map((pair) => {
    const [from, to] = pair.split('>')
    return { from: from!, to: to! }
  })

/** What is wrong with a layout: boxes that lie on each other, outside, or not to the right of what leads to them. */
function faults(names: string[], edges: Pair[]): string[] {
  const { places, width, height, lines } = layOut(names, edges, size)
  const found: string[] = []
  const boxes = [...places].sort(([, a], [, b]) => a.x - b.x || a.y - b.y)
  boxes.forEach(([name, { x, y }], i) => {
    if (x < 0 || y < 0 || x + size.width > width || y + size.height > height) found.push(`${name} is outside`)
    const [other, place] = boxes[i + 1] ?? []
    if (place && place.x === x && place.y < y + size.height) found.push(`${name} on ${other}`)
  })
  edges.forEach(({ from, to }, i) => {
    if (places.get(from)!.x + size.width >= places.get(to)!.x) found.push(`${from} is not before ${to}`)
    const middle = (name: string) => places.get(name)!.y + size.height / 2
    const [start, end] = [lines[i]![0]!, lines[i]!.at(-1)!]
    if (start.y !== middle(from) || start.x !== places.get(from)!.x + size.width) found.push(`line of ${from}`)
    if (end.y !== middle(to) || end.x !== places.get(to)!.x) found.push(`line to ${to}`)
    for (const { x, y } of lines[i]!.slice(1, -1)) {
      const inside = boxes.find(([, b]) => x > b.x && x < b.x + size.width && y > b.y && y < b.y + size.height)
      if (inside) found.push(`${from} > ${to} passes ${inside[0]}`)
    }
  })
  return found
}

/** How often straight lines between the boxes of neighbouring columns cross. */
function crossings(names: string[], edges: Pair[]): number {
  const { places } = layOut(names, edges, size)
  const of = edges.map(({ from, to }) => [places.get(from)!, places.get(to)!] as const)
  return of.flatMap(([a, b], i) => of.slice(i + 1).filter(([c, d]) => a.x === c.x && (a.y - c.y) * (b.y - d.y) < 0))
    .length
}

test('no box, and boxes without edges', () => {
  expect(layOut([], [], size).places.size).toBe(0)
  expect(faults(['a', 'b', 'c'], [])).toEqual([])
})

test('a chain is level', () => {
  const { places, height } = layOut(['c', 'b', 'a'], pairs('a>b b>c'), size)
  expect(new Set([...places.values()].map((p) => p.y)).size).toBe(1)
  expect(height).toBe(size.height + 24)
})

test('what leads to several is at their middle', () => {
  const { places } = layOut(['a', 'b', 'c', 'd'], pairs('a>b a>c a>d'), size)
  const [b, c, d] = ['b', 'c', 'd'].map((name) => places.get(name)!.y)
  expect(places.get('a')!.y).toBeCloseTo((b! + c! + d!) / 3)
})

test('lines do not cross where they need not', () => {
  const names = ['a', 'b', 'c', 'x', 'y', 'z']
  expect(crossings(names, pairs('a>z b>y c>x'))).toBe(0)
})

test('a source is beside what it leads to', () => {
  const { places } = layOut(['a', 'b', 'c', 's'], pairs('a>b b>c s>c'), size)
  expect(places.get('s')!.x).toBe(places.get('b')!.x)
})

test('a long line passes no box', () => {
  const names = ['a', 'b', 'c', 'd']
  expect(faults(names, pairs('a>b b>c c>d a>d'))).toEqual([])
})

test('edges of unknown boxes are left out', () => {
  expect(layOut(['a'], pairs('a>b z>a'), size).lines).toEqual([])
})

test('a thousand boxes', () => {
  const names = Array.from({ length: 1000 }, (_, i) => `n${i}`)
  const edges = names
    .slice(10)
    .flatMap((name, i) => [
      { from: `n${i + 9 - ((i * 7) % 10)}`, to: name },
      ...(i % 3 ? [] : [{ from: `n${i - (i % 5)}`, to: name }]),
    ])
  expect(faults(names, edges)).toEqual([])
})
