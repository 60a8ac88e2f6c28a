import { cancelRun, retryRun, type Run } from '@parliament-explorer/sdk'
import { useMutation } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

import { queryClient } from '../app/client'
import { toast } from '../app/toasts'
import { shortId } from '../lib/format'

export const isActive = (run: Pick<Run, 'status'>): boolean => run.status === 'queued' || run.status === 'started'
export const hasEnded = (run: Pick<Run, 'status'>): boolean => !isActive(run) && run.status !== 'canceling'

/** A new idempotency key for one press of a button. A repeated request with the same key starts nothing. */
export function newIdempotencyKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, '0')).join('')
}

export function useCancel() {
  return useMutation({
    mutationFn: (id: string) => cancelRun({ path: { run_id: id } }),
    onSuccess: ({ data }) => {
      queryClient.setQueryData(['run', data.id], (old: object | undefined) => old && { ...old, ...data })
      void queryClient.invalidateQueries({ queryKey: ['runs'] })
    },
    onError: toast.bad,
  })
}

export function useRetry({ open }: { open: boolean }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  return useMutation({
    mutationFn: ({ id, fromFailure }: { id: string; fromFailure: boolean }) =>
      retryRun({
        path: { run_id: id },
        body: { from_failure: fromFailure },
        headers: { 'Idempotency-Key': newIdempotencyKey() },
      }),
    onSuccess: ({ data }) => {
      toast.good(t('run.retryStarted', { id: shortId(data.id) }))
      void queryClient.invalidateQueries({ queryKey: ['runs'] })
      if (open) void navigate({ to: '/runs/$runId', params: { runId: data.id } })
    },
    onError: toast.bad,
  })
}
