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
