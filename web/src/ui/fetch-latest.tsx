import { materializeAsset } from '@parliament-explorer/sdk'
import { useMutation } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Download } from 'lucide-react'
import { useTranslation } from 'react-i18next'

import { queryClient } from '../app/client'
import { toast } from '../app/toasts'
import { Act } from './act'
import { newIdempotencyKey } from './actions'
import { Card } from './basics'

/** What this is, and the first thing to do, on a server that has no bills yet. */
export function FirstArrival() {
  const { t } = useTranslation()
  return (
    <Card title={t('first.title')} padded>
      <div className="stack prose">
        <p>{t('first.what')}</p>
        <p>{t('first.next')}</p>
        <p>
          <FetchLatest />
        </p>
      </div>
    </Card>
  )
}

/** Fetches the latest bills and opens the run. */
export function FetchLatest() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const fetch = useMutation({
    mutationFn: () =>
      materializeAsset({
        path: { asset: 'fetch_latest_bills' },
        body: { config: {} },
        headers: { 'Idempotency-Key': newIdempotencyKey() },
      }),
    onSuccess: ({ data }) => {
      void queryClient.invalidateQueries({ queryKey: ['runs'] })
      void navigate({ to: '/runs/$runId', params: { runId: data.id } })
    },
    onError: toast.bad,
  })
  return (
    <Act className="btn primary" disabled={fetch.isPending} onClick={() => fetch.mutate()}>
      <Download size={16} aria-hidden />
      {t('first.fetch')}
    </Act>
  )
}
