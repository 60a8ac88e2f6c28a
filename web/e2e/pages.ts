import type { Explorer } from './explorer'

/** Pages that exist on every server. */
const fixed = [
  '',
  'assets',
  'assets?view=graph',
  'assets/fetch_latest_bills',
  'assets/fetch_latest_bills?tab=plots',
  'assets/fetch_latest_bills?tab=materializations',
  'assets/fetch_latest_bills?tab=runs',
  'assets/fetch_parliament_session_bills?tab=launch',
  'jobs/fetch_bills_job',
  'launch?assets=fetch_latest_bills,monitor_fetch_operations',
  'runs',
  'runs?status=canceled&job=monitor_job',
  'automation',
  'automation/schedules/fetch_bills_hourly',
  'automation/sensors/new_bills_sensor',
  'backfills',
  'alerts',
  'assets/bills_introduced_by_day?tab=partitions',
  'assets/fetch_latest_bills?tab=checks',
  'assets?view=graph&selection=%2Bbill_statistics',
  'assets?view=graph&selection=nope',
  'home',
  'glossary',
  'feeds?feed=bills',
  'bills',
  'bills?q=nothing+has+this',
  'search',
  'search?q=act',
  'search?q=zzzzz',
  'politicians',
  'politicians?q=nobody',
  'data',
  'fetch-logs',
  'system',
  'access',
  'nowhere',
  'runs/0197841c-2a00-7aaa-8000-000000000001',
]

/** Fills the server with data of every kind, and returns the paths of all pages, below the UI's address. */
export async function everyPage(explorer: Explorer): Promise<string[]> {
  const good = await explorer.materialize('fetch_latest_bills', { limit: 9 })
  const bad = await explorer.materialize('fetch_parliament_session_bills', { parliament: 99, session: 1 })
  const several = await explorer.api<{ id: string }>('/runs', { assets: ['fetch_latest_bills', 'bill_statistics'] })
  const bills = await explorer.api<{ items: { id: string }[] }>('/bills?limit=1')
  await explorer.api('/sensors/new_bills_sensor/evaluate', {})
  await explorer.materialize('fetch_politicians', {})
  await explorer.materialize('generate_rss_feeds', {})
  await explorer.materialize('data_quality', {})
  const people = await explorer.api<{ items: { slug: string }[] }>('/politicians?limit=1')
  const backfill = await explorer.api<{ id: string }>('/backfills', {
    assets: ['bills_introduced_by_day'],
    range: { from: '2026-05-01', to: '2026-05-09' },
  })
  return [
    ...fixed,
    `runs/${good}`,
    `runs/${good}?tab=materializations`,
    `runs/${good}?tab=config`,
    `runs/${bad}`,
    `runs/${several.id}?steps=graph`,
    `launch?run=${good}`,
    `backfills/${backfill.id}`,
    `bills/${bills.items[0]!.id}`,
    `embed/bills/${bills.items[0]!.id}`,
    `politicians/${people.items[0]!.slug}`,
  ]
}
