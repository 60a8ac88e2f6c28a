import type { Materialization } from '@parliament-explorer/sdk'

interface Series {
  name: string
  points: { at: number; value: number }[]
}

/** The numeric metadata of materializations as series over time, oldest first, ordered by name. */
export function seriesOf(materializations: readonly Materialization[]): Series[] {
  const byName = new Map<string, Series>()
  for (const m of materializations) {
    for (const [name, value] of Object.entries(m.metadata)) {
      if (typeof value !== 'number' || !Number.isFinite(value)) continue
      const series = byName.get(name) ?? { name, points: [] }
      series.points.push({ at: Date.parse(m.created_at), value })
      byName.set(name, series)
    }
  }
  for (const series of byName.values()) series.points.sort((a, b) => a.at - b.at)
  return [...byName.values()].sort((a, b) => a.name.localeCompare(b.name))
}

/** The most informative series: the number of fetched records, otherwise a count, otherwise the duration. */
export function leadingSeries(materializations: readonly Materialization[]): Series | undefined {
  const all = seriesOf(materializations)
  const named = (suffix: string) => all.find((s) => s.name.endsWith(suffix))
  return named('_fetched') ?? named('_count') ?? named('duration_seconds') ?? all[0]
}
