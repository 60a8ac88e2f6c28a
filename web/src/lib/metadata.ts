import type { Asset, Materialization } from '@parliament-explorer/sdk'

interface Series {
  name: string
  points: { at: number; value: number; partition?: string }[]
}

/**
 * The names of the metadata that repeats the config of a run, such as the session that was fetched: it says what was
 * asked for and measures nothing.
 */
export function configNames(asset: Pick<Asset, 'config_schema'>): ReadonlySet<string> {
  return new Set(Object.keys((asset.config_schema as { properties?: object }).properties ?? {}))
}

/** The numeric metadata of materializations as series over time, oldest first, ordered by name. */
export function seriesOf(
  materializations: readonly Materialization[],
  except: ReadonlySet<string> = new Set(),
): Series[] {
  const byName = new Map<string, Series>()
  for (const m of materializations) {
    for (const [name, value] of Object.entries(m.metadata)) {
      if (except.has(name) || typeof value !== 'number' || !Number.isFinite(value)) continue
      const series = byName.get(name) ?? { name, points: [] }
      series.points.push({ at: Date.parse(m.created_at), value, partition: m.partition ?? undefined })
      byName.set(name, series)
    }
  }
  for (const series of byName.values()) series.points.sort((a, b) => a.at - b.at)
  return [...byName.values()].sort((a, b) => a.name.localeCompare(b.name))
}

/** The most informative series: the number of fetched records, otherwise a count, otherwise the duration. */
export function leadingSeries(
  materializations: readonly Materialization[],
  except?: ReadonlySet<string>,
): Series | undefined {
  const all = seriesOf(materializations, except)
  const named = (suffix: string) => all.find((s) => s.name.endsWith(suffix))
  return named('_fetched') ?? named('_count') ?? named('duration_seconds') ?? all[0]
}

/** How many partitions have a colour of their own in a plot. */
const coloured = 4

/**
 * The partitions that a plot tells apart: the last ones that have several values, in order. A plot of partitions with
 * one value each, such as days, tells none apart.
 */
export function partitionsToTell(points: Series['points']): string[] {
  const values = new Map<string, number>()
  for (const { partition } of points)
    if (partition !== undefined) values.set(partition, (values.get(partition) ?? 0) + 1)
  return [...values]
    .flatMap(([partition, count]) => (count > 1 ? [partition] : []))
    .sort((a, b) => a.localeCompare(b))
    .slice(-coloured)
}
