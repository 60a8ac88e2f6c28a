import { useInfiniteQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { type RunFilters, runsQuery } from '../app/queries'
import { Card, Empty, LoadMore } from '../ui/basics'
import { itemsOf, Loaded } from '../ui/loaded'
import { RunTable } from '../ui/run-table'
import { StatusFilter } from '../ui/status-filter'
import { tagFilter, TagFilter } from '../ui/tag-filter'

/** The runs of an asset, a job or a backfill, which can be filtered by status and tag. */
export function RunList({ title, of }: { title: string; of: RunFilters }) {
  const { t } = useTranslation()
  const [status, setStatus] = useState<string>()
  const [tag, setTag] = useState<string>()
  const query = useInfiniteQuery(
    runsQuery({
      ...of,
      status: status as RunFilters['status'],
      tag: tagFilter(tag),
    }),
  )
  const filtered = status !== undefined || tag !== undefined
  return (
    <Card title={title}>
      <div className="filters in-card" role="search" aria-label={title}>
        <StatusFilter value={status} onChange={setStatus} />
        <TagFilter id="run-tag" value={tag} onChange={setTag} />
      </div>
      <Loaded query={itemsOf(query)} lines={6} height="12rem">
        {(runs) =>
          runs.length > 0 ? (
            <RunTable runs={runs} />
          ) : (
            <Empty title={t(filtered ? 'runs.empty' : 'runs.none')}>
              {t(filtered ? 'runs.emptyText' : 'runs.noneText')}
            </Empty>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </Card>
  )
}
