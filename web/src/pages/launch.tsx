import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

import { assetsQuery } from '../app/queries'
import { Card, Empty, PageHead, Skeleton } from '../ui/basics'
import { Problem } from '../ui/problem'
import Launchpad from '../features/launchpad'

/** The launchpad for a run of several assets. */
export function Launch() {
  const { t } = useTranslation()
  const { assets: wanted = '' } = useSearch({ from: '/launch' })
  const names = wanted.split(',').filter(Boolean)
  const assets = useQuery(assetsQuery)
  const chosen = assets.data?.filter((a) => names.includes(a.name))
  return (
    <div className="page">
      <PageHead
        title={t('launch.title')}
        crumbs={[
          <Link to="/assets" search={{ view: 'graph' }}>
            {t('nav.assets')}
          </Link>,
          t('launch.title'),
        ]}
      />
      {assets.error && !assets.data ? (
        <Problem error={assets.error} retry={() => void assets.refetch()} />
      ) : !chosen ? (
        <Card>
          <Skeleton lines={6} height="20rem" />
        </Card>
      ) : chosen.length === 0 ? (
        <Card label={t('launch.title')}>
          <Empty
            title={t('launch.nothingChosen')}
            action={
              <Link to="/assets" search={{ view: 'graph' }} className="btn">
                {t('nav.assets')}
              </Link>
            }
          />
        </Card>
      ) : (
        <Launchpad key={wanted} assets={chosen} />
      )}
    </div>
  )
}
