export interface Point {
  x: number
  y: number
}

export interface Pair {
  from: string
  to: string
}

export interface Size {
  width: number
  height: number
}

/** Where a graph's boxes and lines are, from left to right, in pixels from its upper left corner. */
export interface Layout extends Size {
  /** The upper left corner of each box. */
  places: ReadonlyMap<string, Point>
  /** The line of each edge, in their order: from the right side of a box, around others, to the left side of a box. */
  lines: readonly (readonly Point[])[]
}

/** The space between two boxes in a column, between two columns, and around everything. */
const [gap, columnGap, margin] = [28, 90, 12]

/** The height of a line that passes a column. */
const lineHeight = 10

/** How often the order of all columns, and the heights in them, are improved, from left to right and back. */
const rounds = 6

/** A box, or the place where a line passes a column. */
interface Cell {
  column: number
  height: number
  /** The upper edge. */
  y: number
  before: Cell[]
  after: Cell[]
}

/**
 * Lays out boxes of one size in columns: each to the right of all that lead to it, as in Sugiyama's method. The time
 * grows with the number of boxes and lines in columns, so that a thousand take no more than some tens of milliseconds.
 * The edges must have no cycle; edges of unknown boxes are left out.
 */
export function layOut(names: readonly string[], edges: readonly Pair[], size: Size): Layout {
  const known = new Set(names)
  const used = edges.filter((e) => known.has(e.from) && known.has(e.to))
  const column = columnsOf(names, used)
  const columns: Cell[][] = Array.from({ length: Math.max(0, ...column.values()) + 1 }, () => [])
  const add = (at: number, height: number): Cell => {
    const cell = { column: at, height, y: 0, before: [], after: [] }
    columns[at]!.push(cell)
    return cell
  }
  const cells = new Map(names.map((name) => [name, add(column.get(name)!, size.height)]))
  const passed = used.map(({ from, to }) => {
    const through: Cell[] = []
    let last = cells.get(from)!
    const connect = (next: Cell) => {
      last.after.push(next)
      next.before.push(last)
      last = next
    }
    for (let at = last.column + 1; at < column.get(to)!; at++) {
      connect(add(at, lineHeight))
      through.push(last)
    }
    connect(cells.get(to)!)
    return through
  })

  for (let i = 0; i < rounds; i++) {
    for (const cells of columns) order(cells, 'before')
    for (const cells of [...columns].reverse()) order(cells, 'after')
  }
  for (let i = 0; i < rounds; i++) {
    for (const cells of columns) level(cells, 'before')
    for (const cells of [...columns].reverse()) level(cells, 'after')
  }
  const all = columns.flat()
  const top = Math.min(...all.map((cell) => cell.y)) - margin
  const x = (at: number) => margin + at * (size.width + columnGap)
  const middle = ({ y, height }: Cell) => y - top + height / 2
  return {
    width: x(columns.length) - columnGap + margin,
    height: Math.max(...all.map((cell) => cell.y + cell.height)) - top + margin,
    places: new Map([...cells].map(([name, cell]) => [name, { x: x(cell.column), y: cell.y - top }])),
    lines: used.map(({ from, to }, i) => {
      const [start, end] = [cells.get(from)!, cells.get(to)!]
      return [
        { x: x(start.column) + size.width, y: middle(start) },
        ...passed[i]!.flatMap((cell) => [
          { x: x(cell.column), y: middle(cell) },
          { x: x(cell.column) + size.width, y: middle(cell) },
        ]),
        { x: x(end.column), y: middle(end) },
      ]
    }),
  }
}

/** The column of each name: after all that lead to it, and what nothing leads to right before what it leads to. */
function columnsOf(names: readonly string[], edges: readonly Pair[]): Map<string, number> {
  const after = new Map<string, string[]>(names.map((name) => [name, []]))
  const waitsFor = new Map<string, number>(names.map((name) => [name, 0]))
  for (const { from, to } of edges) {
    after.get(from)!.push(to)
    waitsFor.set(to, waitsFor.get(to)! + 1)
  }
  const sources = names.filter((name) => waitsFor.get(name) === 0)
  const columns = new Map(names.map((name) => [name, 0]))
  const ready = [...sources]
  for (const name of ready) {
    for (const next of after.get(name)!) {
      columns.set(next, Math.max(columns.get(next)!, columns.get(name)! + 1))
      waitsFor.set(next, waitsFor.get(next)! - 1)
      if (waitsFor.get(next) === 0) ready.push(next)
    }
  }
  for (const name of sources) {
    const first = Math.min(...after.get(name)!.map((next) => columns.get(next)!))
    if (Number.isFinite(first)) columns.set(name, first - 1)
  }
  return columns
}

/** Sorts the cells of a column by the mean place of their neighbours on one side, so that few lines cross. */
function order(cells: Cell[], side: 'before' | 'after'): void {
  // The place of each cell is in y until all have their order.
  const wanted = new Map(cells.map((cell, i) => [cell, cell[side].length ? mean(cell[side].map((c) => c.y)) : i]))
  cells.sort((a, b) => wanted.get(a)! - wanted.get(b)!)
  cells.forEach((cell, i) => (cell.y = i))
}

/**
 * Moves the cells of a column as near as their order and the gaps allow to the middle of their neighbours on one side:
 * the least squares, by pooling adjacent violators.
 */
function level(cells: Cell[], side: 'before' | 'after'): void {
  const pools: { sum: number; cells: number }[] = []
  const offsets: number[] = []
  let offset = 0
  for (const cell of cells) {
    const wanted = cell[side].length ? mean(cell[side].map((c) => c.y + c.height / 2)) - cell.height / 2 : cell.y
    offsets.push(offset)
    let pool = { sum: wanted - offset, cells: 1 }
    for (let last = pools.at(-1); last && last.sum / last.cells >= pool.sum / pool.cells; last = pools.at(-1)) {
      pool = { sum: pool.sum + last.sum, cells: pool.cells + last.cells }
      pools.pop()
    }
    pools.push(pool)
    offset += cell.height + gap
  }
  let i = 0
  for (const pool of pools) for (let n = 0; n < pool.cells; n++, i++) cells[i]!.y = pool.sum / pool.cells + offsets[i]!
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
