import type { QueryKey } from '@tanstack/react-query'
import { expect, test, vi } from 'vitest'

import { queriesChangedBy } from './live'
import * as queries from './queries'

vi.mock('./client', () => ({ queryClient: {} }))
vi.mock('./hub-client', () => ({ connectHub: () => ({}) }))

type EventOf = readonly [type: string, asset?: string]

/** Whether an event invalidates a query. Like the query client, it compares the beginning of the key. */
function refreshed(queryKey: QueryKey, [type, asset]: EventOf): boolean {
  return queriesChangedBy({ type, run_id: 'r1', asset: asset ?? null } as Parameters<typeof queriesChangedBy>[0]).some(
    (key) => key.every((part, i) => JSON.stringify(part) === JSON.stringify(queryKey[i])),
  )
}

const ends: EventOf[] = [['run_success'], ['run_failure'], ['run_canceled']]
const made = (...assets: string[]): EventOf[] => assets.map((asset) => ['materialization', asset])
const stopped = (...assets: string[]): EventOf[] =>
  assets.flatMap((asset) =>
    ['step_failure', 'step_canceled', 'step_up_for_retry'].map((type): EventOf => [type, asset]),
  )
const fetches = ['fetch_latest_bills', 'fetch_parliament_session_bills', 'fetch_politicians']
const data = [...ends, ...made(...fetches), ...stopped(...fetches)]

/** Every query of the application, with the events that must invalidate it. */
const table: Record<Extract<keyof typeof queries, `${string}Query`>, { key: QueryKey; by: EventOf[] }> = {
  assetsQuery: {
    key: queries.assetsQuery.queryKey,
    by: [...made('fetch_latest_bills', 'any_other'), ['step_failure', 'x'], ['run_failure'], ['run_canceled']],
  },
  assetQuery: {
    key: queries.assetQuery('x').queryKey,
    by: [...made('x'), ['step_failure', 'x'], ['step_canceled', 'x']],
  },
  graphQuery: { key: queries.graphQuery().queryKey, by: [...made('x'), ['step_failure', 'x']] },
  checkResultsQuery: { key: queries.checkResultsQuery('x').queryKey, by: made('x') },
  partitionsQuery: {
    key: queries.partitionsQuery('x').queryKey,
    by: [...made('x', 'parliament_sessions'), ['run_enqueued'], ['step_failure', 'x'], ['run_canceled']],
  },
  recentMaterializationsQuery: {
    key: queries.recentMaterializationsQuery('data_quality', 1).queryKey,
    by: made('data_quality', 'bill_statistics'),
  },
  materializationsQuery: { key: queries.materializationsQuery('x').queryKey, by: made('x') },
  sensorsQuery: { key: queries.sensorsQuery.queryKey, by: [['run_enqueued']] },
  sensorQuery: { key: queries.sensorQuery('s').queryKey, by: [['run_enqueued']] },
  sensorTicksQuery: { key: queries.sensorTicksQuery('s').queryKey, by: [['run_enqueued']] },
  schedulesQuery: { key: queries.schedulesQuery.queryKey, by: [['run_enqueued']] },
  scheduleQuery: { key: queries.scheduleQuery('s').queryKey, by: [['run_enqueued']] },
  ticksQuery: { key: queries.ticksQuery('s').queryKey, by: [['run_enqueued']] },
  recentTicksQuery: { key: queries.recentTicksQuery('s', 9).queryKey, by: [['run_enqueued']] },
  timelineRunsQuery: {
    key: queries.timelineRunsQuery(24).queryKey,
    by: [['run_enqueued'], ['run_started'], ...ends],
  },
  timelineTicksQuery: { key: queries.timelineTicksQuery('s').queryKey, by: [['run_enqueued']] },
  recentSensorTicksQuery: { key: queries.recentSensorTicksQuery('s', 9).queryKey, by: [['run_enqueued']] },
  backfillsQuery: { key: queries.backfillsQuery.queryKey, by: ends },
  backfillQuery: { key: queries.backfillQuery('b').queryKey, by: ends },
  backfillPartitionsQuery: { key: queries.backfillPartitionsQuery('b').queryKey, by: ends },
  alertsQuery: { key: queries.alertsQuery.queryKey, by: ends },
  openAlertsQuery: { key: queries.openAlertsQuery.queryKey, by: ends },
  deliveriesQuery: { key: queries.deliveriesQuery.queryKey, by: ends },
  runsQuery: {
    key: queries.runsQuery({}).queryKey,
    by: [['run_enqueued'], ['run_started'], ['run_canceling'], ...ends],
  },
  recentRunsQuery: { key: queries.recentRunsQuery({}, 5).queryKey, by: [['run_enqueued'], ['run_started'], ...ends] },
  runQuery: {
    key: queries.runQuery('r1').queryKey,
    by: [['step_started', 'x'], ['step_skipped', 'x'], ['step_requeued', 'x'], ...stopped('x'), ...made('x'), ...ends],
  },
  billsQuery: { key: queries.billsQuery({ law: true }).queryKey, by: data },
  anyBillQuery: { key: queries.anyBillQuery.queryKey, by: data },
  billQuery: { key: queries.billQuery('44-1', 'C-11').queryKey, by: data },
  billsWithStatusQuery: { key: queries.billsWithStatusQuery('44-1', 'HouseAt3rdReading').queryKey, by: data },
  versionsQuery: { key: queries.versionsQuery('44-1', 'C-11').queryKey, by: data },
  searchQuery: { key: queries.searchQuery({ q: 'water' }).queryKey, by: [...data, ...made('update_embeddings')] },
  politiciansQuery: { key: queries.politiciansQuery({ q: 'ada' }).queryKey, by: data },
  politiciansFoundQuery: { key: queries.politiciansFoundQuery('ada', 6).queryKey, by: data },
  politicianQuery: { key: queries.politicianQuery('ada-byron').queryKey, by: data },
  feedsQuery: { key: queries.feedsQuery.queryKey, by: [...data, ...made('generate_rss_feeds')] },
  exportsQuery: { key: queries.exportsQuery.queryKey, by: [...data, ...made('data_quality')] },
  fetchLogsQuery: { key: queries.fetchLogsQuery({}).queryKey, by: [...data, ...made('parliament_sessions')] },
  auditQuery: { key: queries.auditQuery({}).queryKey, by: [['run_enqueued'], ['run_canceling']] },
  // Runs do not change definitions or the server. Pages that change keys and sessions reload them.
  jobsQuery: { key: queries.jobsQuery.queryKey, by: [] },
  jobQuery: { key: queries.jobQuery('j').queryKey, by: [] },
  channelsQuery: { key: queries.channelsQuery.queryKey, by: [] },
  versionQuery: { key: queries.versionQuery.queryKey, by: [] },
  readinessQuery: { key: queries.readinessQuery.queryKey, by: [] },
  keysQuery: { key: queries.keysQuery.queryKey, by: [] },
  sessionsQuery: { key: queries.sessionsQuery.queryKey, by: [] },
}

test('the table has every query', () => {
  const names = Object.keys(queries).filter((name) => name.endsWith('Query'))
  expect(Object.keys(table).sort()).toEqual(names.sort())
})

for (const [name, { key, by }] of Object.entries(table)) {
  test(`${name} is invalidated when its data has changed`, () => {
    expect(by.filter((event) => !refreshed(key, event))).toEqual([])
  })
}

test('other queries are not invalidated', () => {
  expect(refreshed(queries.runQuery('r2').queryKey, ['run_success'])).toBe(false)
  expect(
    refreshed(queries.politicianQuery('ada-byron').queryKey, ['materialization', 'monitor_fetch_operations']),
  ).toBe(false)
  expect(refreshed(queries.billsQuery({}).queryKey, ['materialization', 'generate_rss_feeds'])).toBe(false)
  expect(refreshed(queries.versionQuery.queryKey, ['run_success'])).toBe(false)
})
