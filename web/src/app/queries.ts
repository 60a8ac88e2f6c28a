import {
  getAsset,
  getAssetGraph,
  getBackfill,
  getBill,
  getJob,
  getReadiness,
  getRun,
  getSchedule,
  getSensor,
  getVersion,
  listAlertChannels,
  listAlertDeliveries,
  listAlerts,
  listAssetCheckResults,
  listAssetMaterializations,
  listAssetPartitions,
  listAssets,
  listBackfillPartitions,
  listBackfills,
  listSensors,
  listSensorTicks,
  listBills,
  listBillVersions,
  listExports,
  listFeeds,
  listPoliticians,
  searchBills,
  getPolitician,
  listAuditLog,
  listFetchLogs,
  listJobs,
  listKeys,
  listSessions,
  listRuns,
  listSchedules,
  listScheduleTicks,
  type FetchStatus,
  type ListBillsData,
  type ListPoliticiansData,
  type ListRunsData,
  type SearchBillsData,
} from '@parliament-explorer/sdk'
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'

/* The queries of the application. live.ts invalidates queries by the first element of their keys. */

export const assetsQuery = queryOptions({
  queryKey: ['assets'],
  queryFn: async ({ signal }) => (await listAssets({ signal })).data.items,
})

export const assetQuery = (asset: string) =>
  queryOptions({
    queryKey: ['assets', asset],
    queryFn: async ({ signal }) => (await getAsset({ path: { asset }, signal })).data,
  })

export const graphQuery = (selection?: string) =>
  queryOptions({
    queryKey: ['assets', '', 'graph', selection],
    queryFn: async ({ signal }) => (await getAssetGraph({ query: { selection }, signal })).data,
    retry: false,
    placeholderData: (old) => old,
  })

export const partitionsQuery = (asset: string) =>
  queryOptions({
    queryKey: ['partitions', asset],
    queryFn: async ({ signal }) => (await listAssetPartitions({ path: { asset }, signal })).data,
  })

export const checkResultsQuery = (asset: string) =>
  infiniteQueryOptions({
    queryKey: ['assets', asset, 'check-results'],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      (await listAssetCheckResults({ path: { asset }, query: { limit: 50, cursor: pageParam }, signal })).data,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  })

export const sensorsQuery = queryOptions({
  queryKey: ['sensors'],
  queryFn: async ({ signal }) => (await listSensors({ signal })).data.items,
})

export const sensorQuery = (sensor: string) =>
  queryOptions({
    queryKey: ['sensors', sensor],
    queryFn: async ({ signal }) => (await getSensor({ path: { sensor }, signal })).data,
  })

export const sensorTicksQuery = (sensor: string) =>
  infiniteQueryOptions({
    queryKey: ['sensor-ticks', sensor],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      (await listSensorTicks({ path: { sensor }, query: { limit: 50, cursor: pageParam }, signal })).data,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  })

export const backfillsQuery = infiniteQueryOptions({
  queryKey: ['backfills'],
  initialPageParam: undefined as string | undefined,
  queryFn: async ({ pageParam, signal }) =>
    (await listBackfills({ query: { limit: 50, cursor: pageParam }, signal })).data,
  getNextPageParam: (page) => page.next_cursor ?? undefined,
})

export const backfillQuery = (backfill_id: string) =>
  queryOptions({
    queryKey: ['backfills', backfill_id],
    queryFn: async ({ signal }) => (await getBackfill({ path: { backfill_id }, signal })).data,
  })

export const backfillPartitionsQuery = (backfill_id: string) =>
  infiniteQueryOptions({
    queryKey: ['backfills', backfill_id, 'partitions'],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      (await listBackfillPartitions({ path: { backfill_id }, query: { limit: 200, cursor: pageParam }, signal })).data,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  })

export const alertsQuery = infiniteQueryOptions({
  queryKey: ['alerts'],
  initialPageParam: undefined as string | undefined,
  queryFn: async ({ pageParam, signal }) =>
    (await listAlerts({ query: { limit: 50, cursor: pageParam }, signal })).data,
  getNextPageParam: (page) => page.next_cursor ?? undefined,
})

export const openAlertsQuery = queryOptions({
  queryKey: ['alerts', 'open'],
  queryFn: async ({ signal }) => (await listAlerts({ query: { open: true, limit: 50 }, signal })).data,
})

export const channelsQuery = queryOptions({
  queryKey: ['channels'],
  queryFn: async ({ signal }) => (await listAlertChannels({ signal })).data.items,
  staleTime: 60_000,
})

export const deliveriesQuery = queryOptions({
  queryKey: ['alerts', 'deliveries'],
  queryFn: async ({ signal }) => (await listAlertDeliveries({ query: { limit: 50 }, signal })).data.items,
})

export const recentMaterializationsQuery = (asset: string, limit: number) =>
  queryOptions({
    queryKey: ['materializations', asset, limit],
    queryFn: async ({ signal }) =>
      (await listAssetMaterializations({ path: { asset }, query: { limit }, signal })).data.items,
  })

export const materializationsQuery = (asset: string) =>
  infiniteQueryOptions({
    queryKey: ['materializations', asset],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      (await listAssetMaterializations({ path: { asset }, query: { limit: 50, cursor: pageParam }, signal })).data,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  })

export type RunFilters = Omit<NonNullable<ListRunsData['query']>, 'limit' | 'cursor'>

export const runsQuery = (filters: RunFilters) =>
  infiniteQueryOptions({
    queryKey: ['runs', filters],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      (
        await listRuns({
          // The first page counts the runs of all.
          query: { ...filters, count: pageParam ? undefined : filters.count, limit: 50, cursor: pageParam },
          signal,
        })
      ).data,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  })

/** One page of runs. `since` limits it to the last hours. */
export const recentRunsQuery = (filters: RunFilters, limit: number, since?: number) =>
  queryOptions({
    queryKey: ['runs', 'recent', filters, limit, since],
    queryFn: async ({ signal }) => {
      const created_after = since === undefined ? undefined : new Date(Date.now() - since * 3_600_000).toISOString()
      return (await listRuns({ query: { ...filters, limit, created_after }, signal })).data
    },
  })

/** The most that the timeline of the overview shows: runs, and ticks of each schedule. */
export const timelineLimits = { runs: 500, ticks: 200 }

/** The runs of the last hours. It is a large response, so live.ts fetches it less often than other lists. */
export const timelineRunsQuery = (hours: number) =>
  queryOptions({ ...recentRunsQuery({}, timelineLimits.runs, hours), queryKey: ['timeline', 'runs', hours] })

export const timelineTicksQuery = (schedule: string) =>
  queryOptions({
    queryKey: ['timeline', 'ticks', schedule],
    queryFn: async ({ signal }) =>
      (await listScheduleTicks({ path: { schedule }, query: { limit: timelineLimits.ticks }, signal })).data.items,
    staleTime: 60_000,
  })

export const runQuery = (run_id: string) =>
  queryOptions({
    queryKey: ['run', run_id],
    queryFn: async ({ signal }) => (await getRun({ path: { run_id }, signal })).data,
  })

export const jobsQuery = queryOptions({
  queryKey: ['jobs'],
  queryFn: async ({ signal }) => (await listJobs({ signal })).data.items,
  staleTime: 60_000,
})

export const jobQuery = (job: string) =>
  queryOptions({
    queryKey: ['jobs', job],
    queryFn: async ({ signal }) => (await getJob({ path: { job }, signal })).data,
    staleTime: 60_000,
  })

export const schedulesQuery = queryOptions({
  queryKey: ['schedules'],
  queryFn: async ({ signal }) => (await listSchedules({ signal })).data.items,
})

export const scheduleQuery = (schedule: string) =>
  queryOptions({
    queryKey: ['schedules', schedule],
    queryFn: async ({ signal }) => (await getSchedule({ path: { schedule }, signal })).data,
  })

export const ticksQuery = (schedule: string) =>
  infiniteQueryOptions({
    queryKey: ['ticks', schedule],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      (await listScheduleTicks({ path: { schedule }, query: { limit: 50, cursor: pageParam }, signal })).data,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  })

/** The latest ticks of a schedule. */
export const recentTicksQuery = (schedule: string, limit: number) =>
  queryOptions({
    queryKey: ['ticks', schedule, 'recent', limit],
    queryFn: async ({ signal }) =>
      (await listScheduleTicks({ path: { schedule }, query: { limit }, signal })).data.items,
  })

/** The latest ticks of a sensor. */
export const recentSensorTicksQuery = (sensor: string, limit: number) =>
  queryOptions({
    queryKey: ['sensor-ticks', sensor, 'recent', limit],
    queryFn: async ({ signal }) => (await listSensorTicks({ path: { sensor }, query: { limit }, signal })).data.items,
  })

export type BillFilters = Omit<NonNullable<ListBillsData['query']>, 'limit' | 'cursor'>

export const billsQuery = (filters: BillFilters) =>
  infiniteQueryOptions({
    queryKey: ['bills', filters],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      (await listBills({ query: { ...filters, limit: 50, cursor: pageParam }, signal })).data,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  })

/** Whether any bill is stored. */
export const anyBillQuery = queryOptions({
  queryKey: ['bills', 'any'],
  queryFn: async ({ signal }) => (await listBills({ query: { limit: 1 }, signal })).data.items.length > 0,
})

/** A few bills with a status, of one session. */
export const billsWithStatusQuery = (session: string, status: string) =>
  queryOptions({
    queryKey: ['bills', 'status', session, status],
    queryFn: async ({ signal }) => (await listBills({ query: { session, status, limit: 10 }, signal })).data.items,
    enabled: session !== '',
  })

export const billQuery = (session: string, number: string) =>
  queryOptions({
    queryKey: ['bills', 'one', session, number],
    queryFn: async ({ signal }) => (await getBill({ path: { session, number }, signal })).data,
  })

export const searchQuery = (query: SearchBillsData['query']) =>
  queryOptions({
    queryKey: ['bills', 'search', query],
    queryFn: async ({ signal }) => (await searchBills({ query, signal })).data,
    enabled: query.q !== '',
    placeholderData: (old) => old,
    retry: false,
  })

export const politiciansQuery = (filters: Omit<NonNullable<ListPoliticiansData['query']>, 'limit' | 'cursor'>) =>
  infiniteQueryOptions({
    queryKey: ['politicians', filters],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      (await listPoliticians({ query: { ...filters, limit: 100, cursor: pageParam }, signal })).data,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  })

/** The first politicians that a text finds. */
export const politiciansFoundQuery = (q: string, limit: number) =>
  queryOptions({
    queryKey: ['politicians', 'found', q, limit],
    queryFn: async ({ signal }) => (await listPoliticians({ query: { q, limit }, signal })).data.items,
  })

export const politicianQuery = (slug: string) =>
  queryOptions({
    queryKey: ['politicians', 'one', slug],
    queryFn: async ({ signal }) => (await getPolitician({ path: { slug }, signal })).data,
  })

export const feedsQuery = queryOptions({
  queryKey: ['bills', 'feeds'],
  queryFn: async ({ signal }) => (await listFeeds({ signal })).data.items,
})

export const exportsQuery = queryOptions({
  queryKey: ['bills', 'exports'],
  queryFn: async ({ signal }) => (await listExports({ signal })).data.items,
})

export const versionsQuery = (session: string, number: string) =>
  infiniteQueryOptions({
    queryKey: ['bills', 'versions', session, number],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      (await listBillVersions({ path: { session, number }, query: { limit: 50, cursor: pageParam }, signal })).data,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  })

export const fetchLogsQuery = (filters: { status?: FetchStatus; source?: string; run_id?: string }) =>
  infiniteQueryOptions({
    queryKey: ['fetch-logs', filters],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      (await listFetchLogs({ query: { ...filters, limit: 50, cursor: pageParam }, signal })).data,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  })

export const versionQuery = queryOptions({
  queryKey: ['version'],
  queryFn: async ({ signal }) => (await getVersion({ signal })).data,
  staleTime: Infinity,
})

export const readinessQuery = queryOptions({
  queryKey: ['readiness'],
  queryFn: async ({ signal }) => (await getReadiness({ signal })).data,
})

export const keysQuery = queryOptions({
  queryKey: ['access', 'keys'],
  queryFn: async ({ signal }) => (await listKeys({ signal })).data.items,
})

export const sessionsQuery = infiniteQueryOptions({
  queryKey: ['access', 'sessions'],
  initialPageParam: undefined as string | undefined,
  queryFn: async ({ pageParam, signal }) =>
    (await listSessions({ query: { limit: 50, cursor: pageParam }, signal })).data,
  getNextPageParam: (last) => last.next_cursor ?? undefined,
})

export const auditQuery = (filters: { actor?: string }) =>
  infiniteQueryOptions({
    queryKey: ['access', 'audit', filters],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      (await listAuditLog({ query: { ...filters, limit: 50, cursor: pageParam }, signal })).data,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  })
